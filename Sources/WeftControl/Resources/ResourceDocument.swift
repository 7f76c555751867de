import Foundation
import WeftConfig
import WeftStore

/// A resource as JSON, with the rules about its outer form: what names it, and what the control plane adds.
public struct ResourceDocument: Sendable, Hashable {
  public let type: ResourceType
  public let key: ResourceKey
  /// As the user gave it or as it is stored.
  public internal(set) var value: JSONValue

  /// Fields of `metadata` that belong to the control plane: what a user writes there is ignored.
  static let ownFields = ["uid", "generation", "creationTimestamp", "resourceVersion", "managedFields", "selfLink"]

  /// Reads what names a resource.
  /// - Parameters:
  ///   - namespace: for a resource that does not name one; `default` when nil.
  ///   - expected: the kind that it must be of, and the version of the path.
  /// - Throws: `ResourceProblem.invalid` with the field.
  public init(_ value: JSONValue, namespace: String? = nil, expected: ResourceType? = nil)
    throws(ResourceProblem)
  {
    func invalid(_ path: String, _ message: String) -> ResourceProblem {
      .invalid([ResourceFinding(resource: nil, path: path, message)])
    }
    guard value.object != nil else {
      throw .malformed("expected a resource with apiVersion, kind and metadata")
    }
    guard let kindName = value["kind"]?.string else {
      throw invalid("kind", "is missing; write one such as \"HTTPRoute\"")
    }
    guard let apiVersion = value["apiVersion"]?.string else {
      throw invalid("apiVersion", "is missing; a resource begins with one such as \"gateway.networking.k8s.io/v1\"")
    }
    let parts = apiVersion.split(separator: "/", maxSplits: 1).map(String.init)
    let kind = ResourceKind(group: parts.count == 2 ? parts[0] : "", kind: kindName)
    guard let type = ResourceType.named(kind) else {
      throw .invalid(ResourceDocument.unknownKind(value))
    }
    if let expected, expected != type {
      throw invalid("kind", "is \(type.kind), and the path names \(expected.kind)")
    }
    guard let name = value["metadata"]?["name"]?.string, !name.isEmpty else {
      throw invalid("metadata.name", "is missing; it must be given")
    }
    var given = namespace ?? "default"
    switch value["metadata"]?["namespace"] {
    case nil, .null: break
    case .string(let text): given = text
    default: throw invalid("metadata.namespace", "expected a string")
    }
    guard ResourceDocument.isName(name, limit: 253, dots: true) else {
      throw invalid("metadata.name", "expected lower-case letters, digits, \"-\" and \".\", as in \"my-route\"")
    }
    guard ResourceDocument.isName(given, limit: 63, dots: false) else {
      throw invalid("metadata.namespace", "expected lower-case letters, digits and \"-\", as in \"my-team\"")
    }
    self.type = type
    key = type.key(namespace: given, name: name)
    self.value = value
    if type.isNamespaced {
      self.value["metadata"]?["namespace"] = .string(given)
    } else {
      self.value["metadata"]?["namespace"] = nil
    }
    // Every version of a kind has the same fields; what is stored has one version.
    if parts.last.map(type.versions.contains) == true { self.value["apiVersion"] = .string(type.apiVersion) }
  }

  /// A resource that lies in the store; nil when the entry is damaged or of a kind that this version does not know.
  init?(_ entry: Entry) {
    guard let key = ResourceKey(entry.key), let type = ResourceType.named(key.resourceKind), let bytes = entry.value,
      let value = try? JSONValue(parsing: bytes)
    else { return nil }
    self.type = type
    self.key = key
    self.value = value
  }

  /// What the user wrote: everything but the fields of the control plane and the status.
  var content: JSONValue {
    var content = value
    for field in Self.ownFields { content["metadata"]?[field] = nil }
    content["status"] = nil
    return content
  }

  /// The content as it is to be stored over what is there, with the fields that the control plane keeps.
  func stored(over previous: ResourceDocument?, at time: Date) -> ResourceDocument {
    var document = self
    document.value = content
    let before = previous?.value["metadata"]
    document.value["metadata"]?["uid"] = before?["uid"] ?? .string(UUID().uuidString.lowercased())
    document.value["metadata"]?["creationTimestamp"] =
      before?["creationTimestamp"] ?? .string(ResourceDocument.timestamp(time))
    // Labels and annotations are no part of what a generation counts, as in Kubernetes.
    let isSame = previous.map { $0.desired == document.desired } ?? false
    let generation = before?["generation"]?.int ?? 0
    document.value["metadata"]?["generation"] = .number("\(isSame ? generation : generation + 1)")
    return document
  }

  /// Everything but `metadata`.
  private var desired: JSONValue {
    var desired = content
    desired["metadata"] = nil
    return desired
  }

  /// As a client sees it.
  func shown(revision: Revision, version: String? = nil) -> JSONValue {
    var shown = value
    shown["metadata"]?["resourceVersion"] = .string("\(revision)")
    if let version { shown["apiVersion"] = .string(type.apiVersion(version)) }
    return shown
  }

  static func timestamp(_ time: Date) -> String {
    time.formatted(Date.ISO8601FormatStyle(timeZone: .gmt))
  }

  /// A name of DNS, as resources have it; nothing else gets into keys of the store.
  static func isName(_ text: String, limit: Int, dots: Bool) -> Bool {
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    guard (1...limit).contains(text.utf8.count), let first = text.utf8.first, let last = text.utf8.last,
      isAlphanumeric(first), isAlphanumeric(last)
    else { return false }
    return text.utf8.allSatisfy {
      isAlphanumeric($0) || $0 == UInt8(ascii: "-") || dots && $0 == UInt8(ascii: ".")
    }
  }

  /// What `weft check` says of a kind or version that is not known.
  private static func unknownKind(_ value: JSONValue) -> [ResourceFinding] {
    let loaded = ConfigLoader.load(text: value.text, file: "body.json")
    let findings = loaded.diagnostics.map {
      ResourceFinding(resource: nil, path: $0.path.description, $0.message.replacing("; skipped", with: ""))
    }
    return findings.isEmpty ? [ResourceFinding(resource: nil, path: "kind", "is not known")] : findings
  }
}
