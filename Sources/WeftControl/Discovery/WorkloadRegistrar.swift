import Crypto
import Foundation
import Logging
import WeftConfig
import WeftIdentity
import WeftProtocol
import WeftStore

/// Keeps the workloads beside sidecars in the store, each under a lease that lasts as long as its sidecar's stream, and a
/// while longer: a sidecar that loses this replica keeps its place until it has found another one.
actor WorkloadRegistrar {
  /// A report that makes no sense.
  struct Refused: Error, CustomStringConvertible {
    let description: String
  }

  struct Options: Sendable {
    /// Seconds that a workload stays when nobody keeps it alive: longer than a sidecar waits before it connects again.
    var ttl = 30
    /// How long after the end of its stream a workload is taken out, unless it has come back.
    var grace = Duration.seconds(10)
  }

  private struct Registered {
    var key: String
    var value: [UInt8]
    var lease: LeaseID
    var report: Weft_Discovery_V1_WorkloadReport
    var identity: SPIFFEID
    var created: String
  }

  private let store: any Store
  private let options: Options
  private let log: Logger
  private var registered: [UInt64: Registered] = [:]
  /// Which stream a workload belongs to: the last one that reported it.
  private var owners: [String: UInt64] = [:]

  init(_ store: any Store, options: Options = Options(), log: Logger) {
    self.store = store
    self.options = options
    self.log = log
  }

  /// Takes what a sidecar says of its workload.
  /// - Throws: `Refused` when it makes no sense. What the store cannot take now is tried again with the lease.
  func report(
    _ report: Weft_Discovery_V1_WorkloadReport, of identity: SPIFFEID, instance: String, on stream: UInt64
  ) async throws {
    guard report.isServing else { return await withdraw(stream) }
    try Self.check(report)
    let known = registered[stream]
    if let known, known.report == report { return }
    let key = ResourceKey(
      group: "weft.dev", kind: "Workload", namespace: identity.namespace,
      name: Self.name(identity.name, instance)
    ).path
    let created: String
    if let known { created = known.created } else { created = await creation(key) }
    let value = try Self.document(report, identity, name: ResourceKey(key)?.name ?? "", created: created)
    registered[stream] = Registered(
      key: key, value: value, lease: known?.lease ?? 0, report: report, identity: identity, created: created)
    owners[key] = stream
    await put(stream)
  }

  /// When the workload was first seen: as the store has it, so that a control plane that comes back writes what is there
  /// already, which is no change to anybody.
  private func creation(_ key: String) async -> String {
    if let value = try? await store.get(key, at: nil)?.value,
      let root = ConfigDocuments(parsing: value, file: "workload.json").roots.first,
      let text = root["metadata"]?["creationTimestamp"]?.stringValue
    {
      return text
    }
    return ISO8601DateFormatter().string(from: Date())
  }

  private func put(_ stream: UInt64) async {
    guard var workload = registered[stream] else { return }
    do {
      if workload.lease == 0 {
        let lease = try await store.grantLease(ttl: options.ttl)
        guard registered[stream] != nil else { return try await store.revoke(lease) }
        registered[stream]?.lease = lease
        workload.lease = lease
      }
      // What was reported meanwhile is what is written.
      guard let newest = registered[stream], owners[newest.key] == stream else { return }
      try await store.commit(Transaction([.put(newest.key, newest.value, lease: workload.lease)]))
    } catch {
      registered[stream]?.lease = 0
      if case .leaseNotFound = error { return }
      log.warning("a workload cannot be written, and is tried again: \(error)", metadata: ["key": "\(workload.key)"])
    }
  }

  /// The workload drains: nobody shall find it any more.
  private func withdraw(_ stream: UInt64) async {
    guard let workload = registered.removeValue(forKey: stream) else { return }
    guard owners[workload.key] == stream else { return }
    owners[workload.key] = nil
    do {
      if workload.lease != 0 { try await store.revoke(workload.lease) }
    } catch {
      if case .leaseNotFound = error { return }
      log.warning("a workload cannot be taken out; it ends with its lease: \(error)")
    }
  }

  /// Its stream is over.
  func end(of stream: UInt64) {
    guard registered[stream] != nil else { return }
    let grace = options.grace
    Task {
      try? await Task.sleep(for: grace)
      await self.leave(stream)
    }
  }

  private func leave(_ stream: UInt64) async {
    guard let workload = registered[stream] else { return }
    if owners[workload.key] == stream { return await withdraw(stream) }
    // It came back on another stream, whose lease it is under now.
    registered[stream] = nil
    if workload.lease != 0 { try? await store.revoke(workload.lease) }
  }

  /// Keeps leases alive until it is cancelled; a few at a time, so that a store that is far away keeps up.
  func run() async {
    while !Task.isCancelled {
      do { try await Task.sleep(for: .milliseconds(options.ttl * 1_000 / 3)) } catch { return }
      let all = Array(registered.keys)
      var next = 0
      await withTaskGroup(of: Void.self) { group in
        func add() {
          guard next < all.count else { return }
          let stream = all[next]
          next += 1
          group.addTask { await self.keepAlive(stream) }
        }
        for _ in 0..<16 { add() }
        while await group.next() != nil { add() }
      }
    }
  }

  private func keepAlive(_ stream: UInt64) async {
    guard let workload = registered[stream], owners[workload.key] == stream else { return }
    if workload.lease == 0 { return await put(stream) }
    do { try await store.keepAlive(workload.lease) } catch {
      if case .leaseNotFound = error {
        // The store was away for longer than a lease lasts.
        registered[stream]?.lease = 0
        return await put(stream)
      }
      log.warning("a workload's lease cannot be renewed: \(error)", metadata: ["key": "\(workload.key)"])
    }
  }

  // MARK: The resource

  private static func check(_ report: Weft_Discovery_V1_WorkloadReport) throws {
    guard ListenAddress(report.address)?.isIP == true else {
      throw Refused(description: "a workload's address is IP:PORT, not \"\(report.address.prefix(80))\"")
    }
    guard report.servicePort <= 65_535 else { throw Refused(description: "\(report.servicePort) is no port") }
    guard ["", "http", "http2", "tcp"].contains(report.protocol) else {
      throw Refused(description: "a workload speaks http, http2 or tcp, not \"\(report.protocol.prefix(20))\"")
    }
    guard report.weight <= 1_000_000 else { throw Refused(description: "a weight is at most 1000000") }
    guard report.labels.count <= 64,
      report.labels.allSatisfy({ $0.key.utf8.count <= 128 && $0.value.utf8.count <= 128 }),
      report.zone.utf8.count <= 63, report.healthDetail.utf8.count <= 1_024
    else { throw Refused(description: "labels, zone or health detail of a workload are too long") }
  }

  /// SERVICE-INSTANCE, with what a resource's name cannot have replaced and told apart by a digest.
  static func name(_ service: String, _ instance: String) -> String {
    let isPlain = instance.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
    if isPlain, let last = instance.utf8.last, last != 0x2d, service.utf8.count + instance.utf8.count < 200 {
      return "\(service)-\(instance)"
    }
    let digest = SHA256.hash(data: Array(instance.utf8)).prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return "\(service.prefix(200))-\(digest.joined())"
  }

  private struct Document: Encodable {
    struct Metadata: Encodable {
      let name: String
      let namespace: String
      let labels: [String: String]
      let creationTimestamp: String
      let generation = 1
    }

    struct Spec: Encodable {
      let service: String
      let address: String
      let port: UInt32?
      let labels: [String: String]
      let zone: String?
      let weight: UInt32
      let health: String
      let healthDetail: String?
      let mutualTLS: Bool
      let identity: String
      let `protocol`: String
    }

    let apiVersion = "weft.dev/v1"
    let kind = "Workload"
    let metadata: Metadata
    let spec: Spec
  }

  private static func document(
    _ report: Weft_Discovery_V1_WorkloadReport, _ identity: SPIFFEID, name: String, created: String
  ) throws -> [UInt8] {
    let document = Document(
      metadata: Document.Metadata(
        name: name, namespace: identity.namespace, labels: report.labels, creationTimestamp: created),
      spec: Document.Spec(
        service: identity.name, address: report.address, port: report.servicePort == 0 ? nil : report.servicePort,
        labels: report.labels, zone: report.zone.isEmpty ? nil : report.zone, weight: max(report.weight, 1),
        health: report.health == .unhealthy ? "Unhealthy" : "Healthy",
        healthDetail: report.healthDetail.isEmpty ? nil : report.healthDetail, mutualTLS: report.isMutualTls,
        identity: identity.description, protocol: report.protocol.isEmpty ? "http" : report.protocol))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(document))
  }
}
