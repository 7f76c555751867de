/// What an AuthorizationPolicy can ask about a request or connection.
public enum AuthorizationAttribute: Sendable, Hashable {
  /// The verified peer: its SPIFFE ID without `spiffe://`.
  case principal
  /// The peer's namespace, from its SPIFFE ID.
  case namespace
  /// `NAMESPACE/ACCOUNT`, from the peer's SPIFFE ID.
  case serviceAccount
  /// The other end of the connection.
  case sourceIP
  /// The client, as trusted proxies give it.
  case remoteIP
  case destinationIP
  case destinationPort
  /// The server name of the client's TLS hello.
  case serverName
  case host
  case method
  case path
  /// A field of the request's head, by its name in lower case.
  case header(String)
  /// `ISSUER/SUBJECT` of the request's verified token.
  case requestPrincipal
  case requestAudiences
  case requestPresenter
  /// A claim of the request's verified token, by its path.
  case claim([String])

  /// Known for requests only, and not for connections of TCP or TLS routes.
  public var isOfRequest: Bool {
    switch self {
    case .host, .method, .path, .header, .requestPrincipal, .requestAudiences, .requestPresenter, .claim: true
    case .principal, .namespace, .serviceAccount, .sourceIP, .remoteIP, .destinationIP, .destinationPort, .serverName:
      false
    }
  }

  /// From a token that a RequestAuthentication has verified.
  public var isOfToken: Bool {
    switch self {
    case .requestPrincipal, .requestAudiences, .requestPresenter, .claim: true
    default: false
    }
  }

  public var isAddress: Bool { self == .sourceIP || self == .remoteIP || self == .destinationIP }

  // MARK: Conditions

  private static let keys: [(key: String, attribute: AuthorizationAttribute)] = [
    ("source.ip", .sourceIP), ("remote.ip", .remoteIP), ("source.namespace", .namespace),
    ("source.principal", .principal), ("source.serviceAccount", .serviceAccount), ("destination.ip", .destinationIP),
    ("destination.port", .destinationPort), ("connection.sni", .serverName),
    ("request.auth.principal", .requestPrincipal), ("request.auth.audiences", .requestAudiences),
    ("request.auth.presenter", .requestPresenter),
  ]

  /// nil when no attribute has that key.
  init?(conditionKey key: String) {
    if let known = AuthorizationAttribute.keys.first(where: { $0.key == key }) {
      self = known.attribute
      return
    }
    if let parts = AuthorizationAttribute.brackets(key, after: "request.headers"), parts.count == 1,
      StringRule.headerName.problem(parts[0]) == nil
    {
      self = .header(parts[0].lowercased())
      return
    }
    guard let parts = AuthorizationAttribute.brackets(key, after: "request.auth.claims"), parts.count <= 8 else {
      return nil
    }
    self = .claim(parts)
  }

  static func complaint(about key: String) -> String {
    if key.hasPrefix("request.headers") {
      return
        "\"\(key.prefix(80))\" names no header; write request.headers[x-name], and use hosts, methods or paths for the rest"
    }
    if key.hasPrefix("request.auth.claims") {
      return "\"\(key.prefix(80))\" names no claim; write request.auth.claims[name] or request.auth.claims[name][inner]"
    }
    let known = keys.map(\.key) + ["request.headers[...]", "request.auth.claims[...]"]
    return "\"\(key.prefix(80))\" is no condition\(Suggestion.advice(for: key, among: known, listing: "known are"))"
  }

  /// `a` and `b` of `prefix[a][b]`; nil for anything else.
  private static func brackets(_ text: String, after prefix: String) -> [String]? {
    guard text.hasPrefix(prefix + "["), text.hasSuffix("]") else { return nil }
    let parts = text.dropFirst(prefix.count + 1).dropLast().split(separator: "]", omittingEmptySubsequences: false)
    var names: [String] = []
    for (i, part) in parts.enumerated() {
      guard i == 0 || part.hasPrefix("[") else { return nil }
      let name = String(i == 0 ? part : part.dropFirst())
      if name.isEmpty || name.contains("[") { return nil }
      names.append(name)
    }
    return names
  }

  // MARK: Values

  /// What a value must look like.
  var valueRule: StringRule {
    switch self {
    case .sourceIP, .remoteIP, .destinationIP: .cidr
    case .destinationPort: AuthorizationAttribute.portRule
    case .serviceAccount: AuthorizationAttribute.accountRule
    case .path: AuthorizationAttribute.pathRule
    default: .length(1...4096)
    }
  }

  private static let portRule = StringRule(
    "a port is a number from 1 to 65535, in quotes", { AddressSyntax.port($0[...]) != nil })

  private static let accountRule = StringRule(
    "a service account is \"name\" or \"namespace/name\", without wildcards",
    { text in
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      return (1...2).contains(parts.count) && parts.allSatisfy { !$0.isEmpty && !$0.contains("*") }
    })

  private static let pathRule = StringRule { text in
    if text.isEmpty || text.unicodeScalars.count > 4096 { return StringRule.length(1...4096).problem(text) }
    return text.contains("{") || text.contains("}") ? PathTemplate.problem(text) : nil
  }

  /// A warning about a value that can be read and may not mean what its author thinks.
  func advice(about text: String) -> String? {
    if isAddress || self == .destinationPort || self == .serviceAccount { return nil }
    if self == .path, PathTemplate.isTemplate(text) { return nil }
    if self == .path, !text.hasPrefix("/"), !text.hasPrefix("*") {
      return "\"\(text.prefix(80))\" matches no path, for paths begin with \"/\""
    }
    if self == .path, text.contains("?") {
      return "\"\(text.prefix(80))\" matches no path, for a path has no query; use a condition or a filter for queries"
    }
    if self == .method, text != "*", text != text.uppercased() {
      return "methods are in upper case: \"\(text.prefix(80))\" does not match \(text.uppercased().prefix(80))"
    }
    if text == "*" || text.isEmpty { return nil }
    let inner = text.hasPrefix("*") ? text.dropFirst() : text.hasSuffix("*") ? text.dropLast() : text[...]
    return inner.contains("*")
      ? "\"\(text.prefix(80))\": a \"*\" is a wildcard at one end only, and stands for itself elsewhere" : nil
  }
}
