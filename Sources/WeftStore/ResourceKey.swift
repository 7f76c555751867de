/// Where a resource lies in the store: `/resources/GROUP/KIND/NAMESPACE/NAME`.
public struct ResourceKey: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Empty for core kinds.
  public let group: String
  public let kind: String
  /// Empty for kinds without a namespace.
  public let namespace: String
  public let name: String

  public static let prefix = "/resources/"
  /// Where what the control plane finds out about a resource lies, apart, so that it does not change the resource.
  public static let statusPrefix = "/status/"

  public init(group: String, kind: String, namespace: String, name: String) {
    self.group = group
    self.kind = kind
    self.namespace = namespace
    self.name = name
  }

  /// nil when `key` is not of this form.
  public init?(_ key: String) {
    guard key.hasPrefix(Self.prefix) else { return nil }
    let parts = key.dropFirst(Self.prefix.count).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 4, !parts.contains("") else { return nil }
    self.init(
      group: parts[0] == "core" ? "" : String(parts[0]), kind: String(parts[1]),
      namespace: parts[2] == "_" ? "" : String(parts[2]), name: String(parts[3]))
  }

  private var tail: String {
    "\(group.isEmpty ? "core" : group)/\(kind)/\(namespace.isEmpty ? "_" : namespace)/\(name)"
  }

  /// The key in the store.
  public var path: String { Self.prefix + tail }

  /// The key of its status.
  public var statusPath: String { Self.statusPrefix + tail }

  /// The prefix of every resource of a kind, or of those in one namespace.
  public static func prefix(group: String, kind: String, namespace: String? = nil) -> String {
    let kinds = "\(prefix)\(group.isEmpty ? "core" : group)/\(kind)/"
    return namespace.map { "\(kinds)\($0.isEmpty ? "_" : $0)/" } ?? kinds
  }

  /// `Kind.group namespace/name`, as messages say it.
  public var description: String {
    "\(kind)\(group.isEmpty ? "" : ".\(group)") \(namespace.isEmpty ? name : "\(namespace)/\(name)")"
  }

  public static func < (left: ResourceKey, right: ResourceKey) -> Bool { left.path < right.path }
}
