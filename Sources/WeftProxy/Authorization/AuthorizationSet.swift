import WeftConfig
import WeftHTTP
import WeftIO

/// What the policies of one place say of a request or connection.
struct AuthorizationDecision: Equatable {
  var isAllowed: Bool
  /// The policy that decided, by its number in the snapshot; -1: none did, because there is no ALLOW policy, or because
  /// none of those that there are matches.
  var policy: Int32
}

/// The policies that govern one place together, compiled once for a configuration, immutable, shared by all workers.
///
/// Evaluation allocates nothing, and touches no reference count but those of its caller.
final class AuthorizationSet: @unchecked Sendable {
  // Sendable because nothing writes to the storage between init and deinit.
  private let storage: AuthorizationStorage
  // Policies stand in this order.
  private let denyEnd: Int
  private let allowEnd: Int
  private let auditEnd: Int
  private let dryDenyEnd: Int
  private let dryAllowEnd: Int

  /// There are AUDIT policies or such as are only tried.
  var hasObservers: Bool { dryAllowEnd > allowEnd }

  /// - Parameters:
  ///   - policies: with their numbers in the snapshot.
  ///   - isForConnections: of TCP and TLS routes, about whose requests nothing is known.
  init(_ policies: [(number: Int, policy: AuthorizationPolicy)], isForConnections: Bool) throws(Diagnostic) {
    func those(_ action: AuthorizationPolicy.Action, dryRun: Bool) -> [(number: Int, policy: AuthorizationPolicy)] {
      policies.filter { $0.policy.action == action && $0.policy.isDryRun == dryRun }
    }
    var builder = AuthorizationBuilder(isForConnections: isForConnections)
    denyEnd = try builder.add(those(.deny, dryRun: false))
    allowEnd = try builder.add(those(.allow, dryRun: false))
    // To audit is only to say something, so that one that is tried is one in force.
    auditEnd = try builder.add(those(.audit, dryRun: false) + those(.audit, dryRun: true))
    dryDenyEnd = try builder.add(those(.deny, dryRun: true))
    dryAllowEnd = try builder.add(those(.allow, dryRun: true))
    storage = builder.finish()
  }

  deinit { storage.deallocate() }

  /// The first DENY policy that matches denies. Otherwise, where there are ALLOW policies, one of them has to match.
  func decide(_ input: inout AuthorizationInput) -> AuthorizationDecision {
    var i = 0
    while i < denyEnd {
      if matches(i, &input) { return AuthorizationDecision(isAllowed: false, policy: storage.policies[i].number) }
      i &+= 1
    }
    if allowEnd == denyEnd { return AuthorizationDecision(isAllowed: true, policy: -1) }
    while i < allowEnd {
      if matches(i, &input) { return AuthorizationDecision(isAllowed: true, policy: storage.policies[i].number) }
      i &+= 1
    }
    return AuthorizationDecision(isAllowed: false, policy: -1)
  }

  /// What a policy that decides nothing has to say.
  enum Observation { case audited, wouldDeny, wouldAllow }

  /// Gives what AUDIT policies see, and what policies that are only tried would do.
  /// - Parameters:
  ///   - decision: of the policies in force.
  ///   - report: takes the policy's number; -1: no ALLOW policy that is tried would allow.
  func observe(
    _ input: inout AuthorizationInput, _ decision: AuthorizationDecision, _ report: (Int32, Observation) -> Void
  ) {
    var i = allowEnd
    while i < auditEnd {
      if matches(i, &input) { report(storage.policies[i].number, .audited) }
      i &+= 1
    }
    while i < dryDenyEnd {
      if matches(i, &input) { report(storage.policies[i].number, .wouldDeny) }
      i &+= 1
    }
    if dryAllowEnd == dryDenyEnd { return }
    var isAllowed = decision.isAllowed && decision.policy >= 0
    while i < dryAllowEnd {
      if matches(i, &input) {
        report(storage.policies[i].number, .wouldAllow)
        isAllowed = true
      }
      i &+= 1
    }
    if !isAllowed { report(-1, .wouldDeny) }
  }

  /// The numbers of the policies, in the order of evaluation, each with whether it matches: for explanations.
  func matches(_ input: inout AuthorizationInput) -> [(policy: Int, matches: Bool)] {
    var found: [(policy: Int, matches: Bool)] = []
    for i in 0..<dryAllowEnd { found.append((Int(storage.policies[i].number), matches(i, &input))) }
    return found
  }

  // MARK: Rules

  private func matches(_ policy: Int, _ input: inout AuthorizationInput) -> Bool {
    let rules = storage.policies[policy].rules
    var i = rules.start
    while i < rules.end {
      let rule = storage.rules[Int(i)]
      if anyHolds(rule.sources, &input) && anyHolds(rule.operations, &input) && allHold(rule.conditions, &input) {
        return true
      }
      i &+= 1
    }
    return false
  }

  @inline(__always)
  private func anyHolds(_ groups: AuthorizationStorage.Span, _ input: inout AuthorizationInput) -> Bool {
    if groups.start == groups.end { return true }
    var i = groups.start
    while i < groups.end {
      if allHold(storage.groups[Int(i)], &input) { return true }
      i &+= 1
    }
    return false
  }

  @inline(__always)
  private func allHold(_ matchers: AuthorizationStorage.Span, _ input: inout AuthorizationInput) -> Bool {
    var i = matchers.start
    while i < matchers.end {
      let matcher = storage.matchers.base + Int(i)
      if fits(matcher, &input) == matcher.pointee.isNegated { return false }
      i &+= 1
    }
    return true
  }

  // MARK: Attributes

  private func fits(_ m: UnsafePointer<AuthorizationStorage.Matcher>, _ input: inout AuthorizationInput) -> Bool {
    let values = m.pointee.values
    switch m.pointee.kind {
    case .principal: return isAmong(values, input.principal)
    case .namespace: return isAmong(values, input.namespace)
    case .serviceAccount: return isAmong(values, input.serviceAccount)
    case .sourceIP: return contains(values, input.source)
    case .remoteIP: return contains(values, input.remote)
    case .destinationIP: return contains(values, input.destination)
    case .destinationPort: return isNumber(values, Int32(input.destination.port))
    case .serverName: return isAmong(values, input.serverName, ignoringCase: true)
    case .requestPrincipal: return input.token.map { isAmong(values, $0.principal.bytes) } ?? false
    case .requestPresenter: return input.token.map { isAmong(values, $0.presenter.bytes) } ?? false
    case .requestAudiences: return input.token.map { fitsSome(m, of: $0.audiences) } ?? false
    case .claim:
      return input.token.map { fitsSome(m, of: $0.values(of: storage.claims[Int(m.pointee.header)])) } ?? false
    case .host, .method, .path, .header:
      guard let request = input.request else { return false }
      switch m.pointee.kind {
      case .path: return fitsPath(m, request.pointee.path, &input)
      case .method:
        // A server may take `post` for POST, which must not get a client past what denies POST.
        return isAmong(
          values, request.pointee.headers.text(request.pointee.methodText), ignoringCase: m.pointee.asksAny)
      case .host:
        guard let field = request.pointee.headers.value(.host) else { return false }
        return isHost(values, field, input)
      default: return fitsHeader(m, request)
      }
    }
  }

  private func fitsPath(
    _ m: UnsafePointer<AuthorizationStorage.Matcher>, _ path: Bytes, _ input: inout AuthorizationInput
  ) -> Bool {
    let fits = isAmong(m.pointee.values, path)
    if fits == m.pointee.asksAny { return fits }
    let plain = input.plainPath(path)
    return plain.isEmpty ? fits : isAmong(m.pointee.values, plain)
  }

  private func fitsHeader(
    _ m: UnsafePointer<AuthorizationStorage.Matcher>, _ request: UnsafePointer<MessageHead>
  ) -> Bool {
    let name = storage.headers[Int(m.pointee.header)]
    var at = request.pointee.headers.find(name)
    var result = false
    while let i = at {
      result = isAmong(m.pointee.values, request.pointee.headers.value(at: i))
      if result == m.pointee.asksAny { return result }
      at = request.pointee.headers.find(name, from: i &+ 1)
    }
    return result
  }

  private func fitsSome(_ m: UnsafePointer<AuthorizationStorage.Matcher>, of texts: [OwnedBytes]) -> Bool {
    // Of several texts any that fits counts, as in Istio: a token with an audience has that audience.
    texts.contains { isAmong(m.pointee.values, $0.bytes) }
  }

  private func contains(_ networks: AuthorizationStorage.Span, _ address: SocketAddress) -> Bool {
    guard let ip = address.ip else { return false }
    var i = networks.start
    while i < networks.end {
      if storage.networks.base[Int(i)].contains(ip) { return true }
      i &+= 1
    }
    return false
  }

  private func isNumber(_ values: AuthorizationStorage.Span, _ number: Int32) -> Bool {
    var i = values.start
    while i < values.end {
      if storage.patterns[Int(i)].number == number { return true }
      i &+= 1
    }
    return false
  }

  private func isHost(_ values: AuthorizationStorage.Span, _ field: Bytes, _ input: borrowing AuthorizationInput)
    -> Bool
  {
    let name = field.slice(0, RequestHost.nameLength(field))
    var i = values.start
    while i < values.end {
      let pattern = storage.patterns[Int(i)]
      if isMatch(pattern, name, ignoringCase: true), pattern.number == 0 || pattern.number == input.hostPort(field) {
        return true
      }
      i &+= 1
    }
    return false
  }

  private func isAmong(_ values: AuthorizationStorage.Span, _ value: Bytes, ignoringCase: Bool = false) -> Bool {
    var i = values.start
    while i < values.end {
      if isMatch(storage.patterns[Int(i)], value, ignoringCase: ignoringCase) { return true }
      i &+= 1
    }
    return false
  }

  @inline(__always)
  private func text(_ span: AuthorizationStorage.Span) -> Bytes {
    Bytes(storage.text.bytes.base + Int(span.start), Int(span.end &- span.start))
  }

  @inline(__always)
  private func isMatch(_ pattern: AuthorizationStorage.Pattern, _ value: Bytes, ignoringCase: Bool) -> Bool {
    switch pattern.kind {
    // An attribute that is not there is empty, and no value means that.
    case .present: return !value.isEmpty
    case .exact: return equal(value, text(pattern.text), ignoringCase) && !value.isEmpty
    case .prefix:
      let text = text(pattern.text)
      return value.count >= text.count && equal(Bytes(value.base, text.count), text, ignoringCase)
    case .suffix:
      let text = text(pattern.text)
      return value.count >= text.count
        && equal(Bytes(value.base + (value.count &- text.count), text.count), text, ignoringCase)
    case .template: return isTemplate(pattern.text, value)
    case .number: return false
    }
  }

  /// - Parameter text: in lower case where case is ignored and may matter.
  @inline(__always)
  private func equal(_ value: Bytes, _ text: Bytes, _ ignoringCase: Bool) -> Bool {
    if !ignoringCase { return value == text }
    if value.count != text.count { return false }
    var i = 0
    while i < text.count {
      if asciiLower(value[i]) != asciiLower(text[i]) { return false }
      i &+= 1
    }
    return true
  }

  private func isTemplate(_ pieces: AuthorizationStorage.Span, _ path: Bytes) -> Bool {
    var at = 0
    var i = pieces.start
    while i < pieces.end {
      let piece = storage.pieces[Int(i)]
      switch piece.kind {
      case .text:
        let text = text(piece.text)
        if path.count &- at < text.count || !(Bytes(path.base + at, text.count) == text) { return false }
        at &+= text.count
      case .element:
        let end = path.firstIndex(of: 0x2f, from: at) ?? path.count
        if end == at { return false }
        at = end
      case .rest:
        // Only text may follow.
        if i &+ 1 == pieces.end { return true }
        let text = text(storage.pieces[Int(i &+ 1)].text)
        return path.count &- at >= text.count
          && Bytes(path.base + (path.count &- text.count), text.count) == text
      }
      i &+= 1
    }
    return at == path.count
  }
}
