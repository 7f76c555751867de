import WeftConfig

extension HeldResource {
  /// The same FilterBundle with no rollout; nil when it has none anyway.
  var withoutRollout: HeldResource? {
    guard type == ResourceType.filterBundle, var spec = content["spec"], spec["rollout"] != nil else { return nil }
    spec["rollout"] = nil
    var content = content
    content["spec"] = spec
    return HeldResource(type: type, name: name, version: version, body: Array(content.text.utf8))
  }
}

/// A resource that the proxy could not use.
struct ResourceRejection: Sendable, Equatable {
  let version: String
  /// As `weft check` says it, each a line.
  let message: String
}

/// One attempt to put what the control plane sent into force. What the proxy refuses is replaced by its last good
/// version, or left out, until the rest can be used: one bad resource does not hold up the others.
struct SetAttempt {
  var number: UInt64 = 0
  var revision: UInt64 = 0
  private(set) var resources: [ResourceKey: HeldResource]
  private(set) var rejections: [ResourceKey: ResourceRejection] = [:]

  init(_ held: HeldResources, options: MeshOptions) {
    let proxy = Closure.proxy(options, held)?.name
    resources = [:]
    for resource in held.all {
      if resource.type == ResourceType.proxy && resource.name != proxy { continue }
      resources[resource.key] = resource
    }
  }

  /// The bundles that Filters name.
  var bundles: [HeldResource] {
    resources.values.filter { $0.type == ResourceType.filterBundle }.sorted { $0.name < $1.name }
  }

  /// The documents, in an order that does not change.
  func documents(_ own: SidecarDocuments) -> [(source: String, document: ConfigDocuments)] {
    let shown = resources.values.filter { !ResourceType.own.contains($0.type) }
    return shown.sorted { ($0.type, $0.name) < ($1.type, $1.name) }.compactMap { resource in
      guard resource.type == ResourceType.httpRoute, SidecarDocuments.isInbound(resource) else {
        return (resource.source, resource.document)
      }
      // Other services' own business.
      let name = "\(own.options.namespace)/\(own.options.name)"
      let isOurs = resource.isAbout("@Service/\(name)") || resource.isAbout("@WeftService/\(name)")
      return isOurs && own.options.workload != nil ? (resource.source, own.inbound(resource)) : nil
    }
  }

  /// Takes out what the diagnostics are about.
  /// - Returns: false when there is nothing more that could be taken out.
  mutating func blame(_ diagnostics: [Diagnostic], lastGood: [ResourceKey: HeldResource]) -> Bool {
    let bySource = Dictionary(resources.values.map { ($0.source, $0.key) }, uniquingKeysWith: { first, _ in first })
    var messages: [ResourceKey: [String]] = [:]
    var rest: [String] = []
    for diagnostic in diagnostics {
      if let key = bySource[diagnostic.location.file] {
        messages[culprit(behind: key, lastGood) ?? key, default: []].append(SetAttempt.text(diagnostic))
        continue
      }
      let digest = BundleStore.digest(of: diagnostic.location.file)
      // Several namespaces may use the same archive.
      let users = bundles.filter { bundle in BundleStore.wants(bundle).contains { $0.digest == digest } }
      if let digest, !users.isEmpty {
        let file = diagnostic.location.file.split(separator: ".weft/").last.map(String.init) ?? ""
        let line = "\(digest): \(file):\(diagnostic.location.line): \(diagnostic.message)"
        for bundle in users { messages[bundle.key, default: []].append(line) }
      } else {
        rest.append("\(diagnostic)")
      }
    }
    if messages.isEmpty {
      // About the whole: whatever is new is suspect.
      for (key, resource) in resources where lastGood[key]?.version != resource.version {
        messages[key] = rest
      }
    }
    for (key, lines) in messages {
      guard let refused = resources[key] else { continue }
      if rejections[key] == nil {
        rejections[key] = ResourceRejection(
          version: refused.version, message: lines.prefix(20).joined(separator: "\n"))
      }
      // A rollout that cannot begin leaves what is in force alone.
      if let without = refused.withoutRollout {
        resources[key] = without
        continue
      }
      let good = lastGood[key]
      resources[key] = good?.version == refused.version ? nil : good
    }
    return !messages.isEmpty
  }

  /// What is said of resources in force.
  static func rejections(
    _ diagnostics: [Diagnostic], _ inForce: [ResourceKey: HeldResource]
  ) -> [ResourceKey: ResourceRejection] {
    if diagnostics.isEmpty { return [:] }
    let bySource = Dictionary(inForce.values.map { ($0.source, $0) }, uniquingKeysWith: { first, _ in first })
    var lines: [String: [String]] = [:]
    for diagnostic in diagnostics { lines[diagnostic.location.file, default: []].append(text(diagnostic)) }
    var found: [ResourceKey: ResourceRejection] = [:]
    for (source, texts) in lines {
      guard let resource = bySource[source] else { continue }
      found[resource.key] = ResourceRejection(
        version: resource.version, message: texts.prefix(20).joined(separator: "\n"))
    }
    return found
  }

  /// What is wrong with a Filter that has not changed is wrong with its bundle, which has, or with the settings that say
  /// who must have signed it.
  private func culprit(behind key: ResourceKey, _ lastGood: [ResourceKey: HeldResource]) -> ResourceKey? {
    guard key.type == ResourceType.filter, let filter = resources[key], lastGood[key]?.version == filter.version,
      let name = filter.content[path: "spec", "config", "bundle"]?.string
    else { return nil }
    let bundle = ResourceKey(type: ResourceType.filterBundle, name: "\(filter.namespace)/\(name)")
    guard let present = resources[bundle] else { return nil }
    if lastGood[bundle]?.version != present.version || present.withoutRollout != nil { return bundle }
    return resources.values.first { $0.type == ResourceType.proxy && lastGood[$0.key]?.version != $0.version }?.key
  }

  /// Without the source, which the one who reads it knows.
  private static func text(_ diagnostic: Diagnostic) -> String {
    diagnostic.path == .root ? diagnostic.message : "\(diagnostic.path): \(diagnostic.message)"
  }
}
