/// A document that Weft understands: one kind of the Gateway API, of core Kubernetes, or Weft's own.
///
/// Resources compare by content: where they were written does not count.
public protocol Resource: Sendable, Hashable {
  static var kind: ResourceKind { get }
  /// The versions under which the kind's fields, as read here, are known.
  static var versions: [String] { get }
  /// Whether resources of the kind belong to a namespace; true unless said otherwise.
  static var isNamespaced: Bool { get }

  var metadata: ResourceMetadata { get }
  /// Where the document begins.
  var origin: Origin { get }

  /// Reads everything but `apiVersion`, `kind`, `metadata` and `status`. Mistakes are left with the reader.
  init(_ reader: ObjectReader, metadata: ResourceMetadata)
}

extension Resource {
  public static var isNamespaced: Bool { true }

  public var name: ResourceName { ResourceName(namespace: metadata.namespace, name: metadata.name) }
}

/// An API group with a kind in it. The group of core Kubernetes is empty.
public struct ResourceKind: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let group: String
  public let kind: String

  public init(group: String, kind: String) {
    self.group = group
    self.kind = kind
  }

  /// `Service`, `Filter.weft.dev`: as kubectl writes it.
  public var description: String { group.isEmpty ? kind : "\(kind).\(group)" }

  public static func < (left: ResourceKind, right: ResourceKind) -> Bool {
    (left.group, left.kind) < (right.group, right.kind)
  }

  static let gatewayAPI = "gateway.networking.k8s.io"
  static let weft = "weft.dev"
}

/// What identifies a resource among those of its kind.
public struct ResourceName: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let namespace: String
  public let name: String

  public init(namespace: String, name: String) {
    self.namespace = namespace
    self.name = name
  }

  public var description: String { "\(namespace)/\(name)" }

  /// Alphabetical by `namespace/name`, which breaks ties between routes.
  public static func < (left: ResourceName, right: ResourceName) -> Bool {
    (left.namespace, left.name) < (right.namespace, right.name)
  }
}

/// `metadata`: what names a resource.
public struct ResourceMetadata: Sendable, Hashable {
  public let name: String
  /// `default` when none is given; empty for kinds that belong to none.
  public let namespace: String
  public let labels: [String: String]
  public let annotations: [String: String]
  /// As Kubernetes writes it (`2024-05-01T10:00:00Z`): text order is order in time. Older routes win ties.
  public let creationTimestamp: String?

  init(_ reader: ObjectReader, isNamespaced: Bool) {
    name = reader.string("name", .dnsSubdomain)
    let namespace = reader.string("namespace", .dnsLabel, default: "default")
    self.namespace = isNamespaced ? namespace : ""
    labels = reader.stringMap("labels")
    annotations = reader.stringMap("annotations")
    creationTimestamp = reader.optionalString("creationTimestamp")
    reader.ignore(
      "uid", "resourceVersion", "generation", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds",
      "ownerReferences", "finalizers", "managedFields", "selfLink")
  }
}
