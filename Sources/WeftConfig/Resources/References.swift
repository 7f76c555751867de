/// A route's reference to what it wants to be attached to: a Gateway, or a Service for mesh traffic.
public struct ParentReference: Sendable, Hashable {
  public let kind: ResourceKind
  public let name: ResourceName
  /// A Gateway's listener, or a Service's port, by name.
  public let sectionName: String?
  /// A Gateway's listeners, or a Service's port, by number.
  public let port: Int?
  public let origin: Origin

  init(_ reader: ObjectReader, namespace: String) {
    kind = ResourceKind(
      group: reader.string("group", .group, default: ResourceKind.gatewayAPI),
      kind: reader.string("kind", .kind, default: "Gateway"))
    name = ResourceName(
      namespace: reader.string("namespace", .dnsLabel, default: namespace),
      name: reader.string("name", .length(1...253)))
    sectionName = reader.optionalString("sectionName", .dnsSubdomain)
    port = reader.optionalInt("port", in: 1...65535)
    origin = Origin(reader.node)
  }
}

/// A reference to a service that requests are sent to.
public struct BackendReference: Sendable, Hashable {
  public let kind: ResourceKind
  public let name: ResourceName
  /// The service's port, not its target port. Always given for a core Service.
  public let port: Int?
  public let origin: Origin

  init(_ reader: ObjectReader, namespace: String) {
    kind = ResourceKind(
      group: reader.string("group", .group, default: ""), kind: reader.string("kind", .kind, default: "Service"))
    name = ResourceName(
      namespace: reader.string("namespace", .dnsLabel, default: namespace),
      name: reader.string("name", .length(1...253)))
    port = reader.optionalInt("port", in: 1...65535)
    origin = Origin(reader.node)
    if kind == KubernetesService.kind, !reader.has("port") {
      reader.error(
        "port", "is missing; a core Service needs it, and a weft.dev Service is named with \"group: weft.dev\"")
    }
    if kind == WeftService.kind, reader.has("port") {
      reader.warn("port", "has no effect; the endpoints of a weft.dev Service have ports of their own")
    }
  }
}

/// A reference to a resource of the same namespace.
public struct LocalReference: Sendable, Hashable {
  public let kind: ResourceKind
  public let name: String
  public let origin: Origin

  init(_ reader: ObjectReader) {
    kind = ResourceKind(group: reader.string("group", .group), kind: reader.string("kind", .kind))
    name = reader.string("name", .length(1...253))
    origin = Origin(reader.node)
  }
}

/// A reference to a Secret, ConfigMap or the like, perhaps in another namespace.
public struct ObjectReference: Sendable, Hashable {
  public let kind: ResourceKind
  public let name: ResourceName
  public let origin: Origin

  /// - Parameter defaultKind: a core kind assumed when none is given; nil where group and kind must be given.
  init(_ reader: ObjectReader, namespace: String, defaultKind: String? = nil) {
    if let defaultKind {
      kind = ResourceKind(
        group: reader.string("group", .group, default: ""), kind: reader.string("kind", .kind, default: defaultKind))
    } else {
      kind = ResourceKind(group: reader.string("group", .group), kind: reader.string("kind", .kind))
    }
    name = ResourceName(
      namespace: reader.string("namespace", .dnsLabel, default: namespace),
      name: reader.string("name", .length(1...253)))
    origin = Origin(reader.node)
  }
}

extension StringRule {
  /// An API group: empty for core Kubernetes, otherwise a DNS name.
  static let group = StringRule(
    "an API group is empty or a lower-case DNS name such as \"weft.dev\"",
    { $0.isEmpty || DNSName.isSubdomain($0) })

  /// A kind such as `HTTPRoute`.
  static let kind = StringRule(
    "a kind begins with a letter and has up to 63 letters, digits and \"-\"",
    { text in
      guard (1...63).contains(text.utf8.count), let first = text.utf8.first else { return false }
      let isLetter: (UInt8) -> Bool = { ($0 | 0x20) &- UInt8(ascii: "a") < 26 }
      return isLetter(first) && text.utf8.last != UInt8(ascii: "-")
        && text.utf8.allSatisfy { isLetter($0) || $0 &- UInt8(ascii: "0") < 10 || $0 == UInt8(ascii: "-") }
    })
}
