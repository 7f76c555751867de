import WeftConfig
import WeftHTTP
import WeftIO

/// Turns policies into the memory of an `AuthorizationSet`.
struct AuthorizationBuilder {
  private typealias Storage = AuthorizationStorage

  let isForConnections: Bool
  private var text: [UInt8] = []
  private var patterns: [Storage.Pattern] = []
  private var pieces: [Storage.Piece] = []
  private var networks: [CIDR] = []
  private var headers: [HeaderName] = []
  private var claims: [[String]] = []
  private var matchers: [Storage.Matcher] = []
  private var groups: [Storage.Span] = []
  private var rules: [Storage.Rule] = []
  private var policies: [Storage.Policy] = []

  init(isForConnections: Bool) { self.isForConnections = isForConnections }

  /// - Returns: how many policies there are now.
  mutating func add(_ list: [(number: Int, policy: AuthorizationPolicy)]) throws(Diagnostic) -> Int {
    for (number, policy) in list {
      let start = rules.count
      for rule in policy.rules { try add(rule, of: policy) }
      policies.append(Storage.Policy(rules: span(start, rules.count), number: Int32(clamping: number)))
    }
    return policies.count
  }

  func finish() -> AuthorizationStorage {
    AuthorizationStorage(
      text: OwnedBytes(text), patterns: FlatArray(patterns), pieces: FlatArray(pieces), networks: FlatArray(networks),
      headers: FlatArray(headers), claims: claims, matchers: FlatArray(matchers), groups: FlatArray(groups),
      rules: FlatArray(rules),
      policies: FlatArray(policies))
  }

  private func span(_ start: Int, _ end: Int) -> Storage.Span {
    Storage.Span(start: Int32(clamping: start), end: Int32(clamping: end))
  }

  private mutating func add(_ rule: AuthorizationRule, of policy: AuthorizationPolicy) throws(Diagnostic) {
    // What a connection does not have matches what denies, and nothing that allows or audits.
    let drops = isForConnections && policy.action == .deny
    if isForConnections, !drops {
      let clauses = (rule.sources + rule.operations).joined() + rule.conditions
      if clauses.contains(where: \.attribute.isOfRequest) { return }
    }
    let isAllowing = policy.action == .allow
    let sources = try add(rule.sources, isAllowing)
    let operations = try add(rule.operations, isAllowing)
    let conditions = try add(rule.conditions, isAllowing)
    rules.append(Storage.Rule(sources: sources, operations: operations, conditions: conditions))
  }

  private mutating func add(
    _ alternatives: [[AuthorizationRule.Clause]], _ isAllowing: Bool
  ) throws(Diagnostic) -> AuthorizationStorage.Span {
    var made: [Storage.Span] = []
    for clauses in alternatives { made.append(try add(clauses, isAllowing)) }
    let start = groups.count
    groups += made
    return span(start, groups.count)
  }

  private mutating func add(
    _ clauses: [AuthorizationRule.Clause], _ isAllowing: Bool
  ) throws(Diagnostic) -> AuthorizationStorage.Span {
    let start = matchers.count
    for clause in clauses where !(isForConnections && clause.attribute.isOfRequest) {
      if !clause.values.isEmpty { try add(clause, clause.values, isNegated: false, isAllowing) }
      if !clause.notValues.isEmpty { try add(clause, clause.notValues, isNegated: true, isAllowing) }
    }
    return span(start, matchers.count)
  }

  private mutating func add(
    _ clause: AuthorizationRule.Clause, _ values: [String], isNegated: Bool, _ isAllowing: Bool
  ) throws(Diagnostic) {
    var matcher = Storage.Matcher(
      kind: AuthorizationBuilder.kind(clause.attribute), isNegated: isNegated, asksAny: isAllowing == isNegated,
      values: span(0, 0))
    if clause.attribute.isAddress {
      let start = networks.count
      for text in values {
        guard let network = CIDR(text) else {
          throw clause.origin.error(
            "\"\(text)\" is no network: its prefix is too short for an IPv4 address in IPv6 form")
        }
        networks.append(network)
      }
      matcher.values = span(start, networks.count)
    } else {
      if case .header(let name) = clause.attribute, let name = HeaderName(name) {
        matcher.header = Int32(clamping: headers.count)
        headers.append(name)
      }
      if case .claim(let path) = clause.attribute {
        matcher.header = Int32(clamping: claims.count)
        claims.append(path)
      }
      let start = patterns.count
      for text in values { addPattern(text, clause.attribute) }
      matcher.values = span(start, patterns.count)
    }
    matchers.append(matcher)
  }

  private mutating func addPattern(_ value: String, _ attribute: AuthorizationAttribute) {
    if attribute == .destinationPort {
      patterns.append(Storage.Pattern(kind: .number, text: span(0, 0), number: Int32(value) ?? 0))
      return
    }
    if attribute == .path, PathTemplate.isTemplate(value), let template = PathTemplate(value) {
      let start = pieces.count
      for piece in template.pieces {
        switch piece {
        case .text(let text): pieces.append(Storage.Piece(kind: .text, text: store(text)))
        case .element: pieces.append(Storage.Piece(kind: .element, text: span(0, 0)))
        case .rest: pieces.append(Storage.Piece(kind: .rest, text: span(0, 0)))
        }
      }
      patterns.append(Storage.Pattern(kind: .template, text: span(start, pieces.count)))
      return
    }
    var value = value
    var port: Int32 = 0
    if attribute == .host { (value, port) = AuthorizationBuilder.host(value) }
    let (kind, text) = AuthorizationBuilder.wildcard(value, attribute)
    patterns.append(Storage.Pattern(kind: kind, text: store(text), number: port))
  }

  private mutating func store(_ value: String) -> AuthorizationStorage.Span {
    let start = text.count
    text += Array(value.utf8)
    return span(start, text.count)
  }

  private static func wildcard(
    _ value: String, _ attribute: AuthorizationAttribute
  ) -> (AuthorizationStorage.Pattern.Kind, String) {
    if attribute == .serviceAccount { return (.exact, value) }
    if value == "*" { return (.present, "") }
    if value.hasPrefix("*") { return (.suffix, String(value.dropFirst())) }
    if value.hasSuffix("*") { return (.prefix, String(value.dropLast())) }
    return (.exact, value)
  }

  /// A host and its port, 0 for any: `a.com`, `a.com:8080`, `a.com:*`. The dot that ends a full name does not count.
  private static func host(_ value: String) -> (String, Int32) {
    var name = value[...]
    var port: Int32 = 0
    if let colon = value.lastIndex(of: ":"), !value[colon...].contains("]") {
      let digits = value[value.index(after: colon)...]
      if digits == "*" || (!digits.isEmpty && digits.utf8.allSatisfy { $0 &- 0x30 < 10 }) {
        name = value[..<colon]
        port = digits == "*" ? 0 : Int32(digits) ?? -1
      }
    }
    if name.count > 1, name.hasSuffix(".") { name = name.dropLast() }
    return (name.lowercased(), port)
  }

  private static func kind(_ attribute: AuthorizationAttribute) -> AuthorizationStorage.Matcher.Kind {
    switch attribute {
    case .principal: .principal
    case .namespace: .namespace
    case .serviceAccount: .serviceAccount
    case .sourceIP: .sourceIP
    case .remoteIP: .remoteIP
    case .destinationIP: .destinationIP
    case .destinationPort: .destinationPort
    case .serverName: .serverName
    case .host: .host
    case .method: .method
    case .path: .path
    case .header: .header
    case .requestPrincipal: .requestPrincipal
    case .requestAudiences: .requestAudiences
    case .requestPresenter: .requestPresenter
    case .claim: .claim
    }
  }
}
