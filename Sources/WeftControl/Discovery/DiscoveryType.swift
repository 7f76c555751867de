import WeftConfig

/// The types that proxies subscribe to: `GROUP/VERSION/KIND`, `VERSION/KIND` for core kinds.
enum DiscoveryType {
  /// nil when `text` is none. The version does not count: a resource has one body.
  static func kind(_ text: String) -> ResourceKind? {
    guard text.utf8.count <= 300 else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard !parts.contains("") else { return nil }
    switch parts.count {
    case 2: return ResourceKind(group: "", kind: parts[1])
    case 3: return ResourceKind(group: parts[0], kind: parts[2])
    default: return nil
    }
  }
}
