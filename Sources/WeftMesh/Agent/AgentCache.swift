import Foundation

/// The last good resources, for a start without the control plane.
struct AgentCache: Codable {
  struct Resource: Codable {
    let type: String
    let name: String
    let version: String
    /// As the control plane sent it: JSON.
    let body: String
  }

  var revision: UInt64
  var resources: [Resource]
  /// Services, NAMESPACE/NAME, that requests had asked for.
  var demanded: [String]
  /// The digest in force of each FilterBundle.
  var bundles: [String: String]
  /// Digests that were in force before, the latest first; nil in files of earlier versions.
  var earlierBundles: [String: [String]]?

  private static let file = "cache.json"

  /// nil when there is none, or none that can be read: then the control plane has everything.
  static func load(_ folder: StateFolder) -> AgentCache? {
    guard let bytes = try? folder.read(file) else { return nil }
    return try? JSONDecoder().decode(AgentCache.self, from: Data(bytes))
  }

  func save(_ folder: StateFolder) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    try folder.write(Self.file, Array(encoder.encode(self)))
  }

  var held: HeldResources {
    var held = HeldResources()
    for r in resources {
      if let resource = HeldResource(type: r.type, name: r.name, version: r.version, body: Array(r.body.utf8)) {
        held.put(resource)
      }
    }
    return held
  }
}
