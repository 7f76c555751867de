/// Host names with wildcards, as listeners and routes give them.
public enum Hostnames {
  /// The names for which a route answers on a listener: of each pair, the more specific one. Empty: every name. Nil:
  /// none, so that the route does not attach.
  public static func intersection(listener: String?, route: [String]) -> [String]? {
    guard let listener else { return route }
    guard !route.isEmpty else { return [listener] }
    var names: [String] = []
    for name in route {
      guard let common = intersection(listener, name), !names.contains(common) else { continue }
      names.append(common)
    }
    return names.isEmpty ? nil : names
  }

  /// The name that matches what both match.
  static func intersection(_ left: String, _ right: String) -> String? {
    if left == right || covers(left, right) { return right }
    return covers(right, left) ? left : nil
  }

  /// Whether wildcard `pattern` matches everything that `name`, a name or wildcard, matches. `*.example.com` stands for
  /// one or more labels, and does not match `example.com`.
  private static func covers(_ pattern: String, _ name: String) -> Bool {
    guard pattern.hasPrefix("*.") else { return false }
    let suffix = pattern.dropFirst()
    let rest = name.hasPrefix("*.") ? name.dropFirst() : name[...]
    return rest.hasSuffix(suffix) && (rest.utf8.count > suffix.utf8.count || name.hasPrefix("*."))
  }
}
