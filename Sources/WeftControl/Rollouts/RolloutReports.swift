import Foundation
import WeftStore

/// What one replica knows of rollouts from the proxies that are connected to it.
struct RolloutReport: Sendable, Codable {
  struct Version: Sendable, Hashable, Codable {
    /// NAMESPACE/NAME of the Filter.
    var filter: String
    var digest: String
    var variant: String
  }

  struct Entry: Sendable, Codable {
    var version: Version
    var figures: RolloutFigures
    var samples: [String]
  }

  struct Refusal: Sendable, Codable {
    /// NAMESPACE/NAME of the FilterBundle.
    var bundle: String
    var proxy: String
    var message: String
    var since: Double
  }

  /// Totals since the replica began.
  var entries: [Entry] = []
  var refusals: [Refusal] = []
}

/// Where replicas that do not lead put their reports, under their leases.
struct RolloutReports: Sendable {
  static let prefix = "/control/rollouts/replicas/"

  let store: any Store
  let replica: String

  func publish(_ report: RolloutReport, lease: LeaseID) async throws {
    let bytes = try Array(JSONEncoder().encode(report))
    guard bytes.count <= StoreLimits.value else { return }
    try await store.commit(Transaction([.put(Self.prefix + replica, bytes, lease: lease)]))
  }

  /// Those of the other replicas, by their names.
  func others() async throws(StoreError) -> [String: RolloutReport] {
    var reports: [String: RolloutReport] = [:]
    for entry in try await store.list(prefix: Self.prefix, after: nil, limit: 100, at: nil).entries {
      let name = String(entry.key.dropFirst(Self.prefix.count))
      guard name != replica, let bytes = entry.value else { continue }
      reports[name] = try? JSONDecoder().decode(RolloutReport.self, from: Data(bytes))
    }
    return reports
  }
}
