/// Which origins may read responses, as browsers ask (Fetch standard, CORS protocol).
public struct HTTPCORSPolicy: Sendable, Hashable {
  /// Scheme, host and port as browsers write them; `*` alone, or `*` as the host or its first label.
  public let allowOrigins: [String]
  public let allowCredentials: Bool
  /// Method names, or `*` alone.
  public let allowMethods: [String]
  /// Header names, or `*` alone.
  public let allowHeaders: [String]
  public let exposeHeaders: [String]
  /// Seconds for which a browser may remember the answer.
  public let maxAge: Int

  /// Reads the fields of the Gateway API's HTTPCORSFilter; mistakes are reported.
  public init(_ reader: ObjectReader) {
    allowOrigins = HTTPCORSPolicy.entries(reader, "allowOrigins", .corsOrigin)
    allowCredentials = reader.bool("allowCredentials", default: false)
    allowMethods = HTTPCORSPolicy.entries(reader, "allowMethods", .methodOrWildcard)
    allowHeaders = HTTPCORSPolicy.entries(reader, "allowHeaders", .headerName)
    exposeHeaders = HTTPCORSPolicy.entries(reader, "exposeHeaders", .headerName, wildcardAlone: false)
    maxAge = reader.int("maxAge", in: 1...Int(Int32.max), default: 5)
  }

  private static func entries(
    _ reader: ObjectReader, _ list: String, _ rule: StringRule, wildcardAlone: Bool = true
  ) -> [String] {
    let entries = reader.strings(list, count: Bounds.corsEntries, rule)
    if wildcardAlone, entries.count > 1, entries.contains("*") {
      reader.error(list, "\"*\" cannot stand beside other entries; keep it alone or remove it")
    }
    var seen: Set<String> = []
    if let repeated = entries.first(where: { !seen.insert($0).inserted }) {
      reader.error(list, "lists \"\(repeated)\" twice; keep one")
    }
    return entries
  }
}

extension StringRule {
  static let methodOrWildcard = StringRule { text in
    if text == "*" || HTTPMethodName(rawValue: text) != nil { return nil }
    let names = ["*"] + HTTPMethodName.allCases.map(\.rawValue)
    return "unknown method \"\(text)\"" + Suggestion.advice(for: text, among: names, listing: "use one of")
  }

  static let corsOrigin = StringRule(
    "an origin is \"*\", or a scheme, host and perhaps port such as \"https://app.example.com\" or \"https://*.a.com:8443\"",
    { text in
      if text == "*" { return true }
      guard text.utf8.count <= 253, let scheme = ["http://", "https://"].first(where: text.hasPrefix) else {
        return false
      }
      let parts = text.dropFirst(scheme.count).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, AddressSyntax.port(parts[1]) == nil { return false }
      guard let host = parts.first, !host.isEmpty else { return false }
      if host == "*" { return true }
      return DNSName.isSubdomain((host.hasPrefix("*.") ? host.dropFirst(2) : host).lowercased())
    })
}
