import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// Tokens of requests: found, verified, and shown to policies.
extension Worker {
  /// Verifies the tokens that a request carries where the rules look for them.
  /// - Returns: false when one of them is not good.
  func authenticate(_ x: ExchangeRef, _ rules: TokenRules, _ input: inout AuthorizationInput) -> Bool {
    let s = x.pointee.state
    let now = Double(clock.pointee.wall) / 1e9
    var found: VerifiedToken?
    for name in rules.claimHeaders { s.pointee.request.headers.remove(name) }
    for location in rules.locations {
      switch location.place {
      case .header(let name, let prefix):
        var at = s.pointee.request.headers.find(name)
        while let i = at {
          at = s.pointee.request.headers.find(name, from: i &+ 1)
          let value = s.pointee.request.headers.value(at: i)
          guard let text = Worker.token(in: value, after: prefix.bytes) else { continue }
          guard let token = verified(x, text, rules, location.rules, now) else { return false }
          found = found ?? token
          if !rules.rules[token.rule].forwardsToken { s.pointee.request.headers.remove(at: i) }
        }
      case .parameter(let name):
        guard let text = QueryText.first(name.bytes, in: s.pointee.request.query), !text.isEmpty else { continue }
        guard let token = verified(x, text, rules, location.rules, now) else { return false }
        found = found ?? token
      case .cookie(let name):
        guard let text = Worker.cookie(name.bytes, of: UnsafePointer(s.request)), !text.isEmpty else { continue }
        guard let token = verified(x, text, rules, location.rules, now) else { return false }
        found = found ?? token
      }
    }
    guard let found else { return true }
    x.pointee.authorization.token = found
    input.token = found
    for output in rules.rules[found.rule].claimHeaders {
      guard let text = found.values(of: output.claim).first, HeaderTable.isFieldValue(text.bytes) else { continue }
      s.pointee.request.headers.add(output.header, text.bytes)
    }
    if let header = rules.rules[found.rule].payloadHeader {
      s.pointee.request.headers.add(header, found.payload.bytes)
    }
    return true
  }

  /// The token behind the prefix, whose case does not matter (RFC 9110 11.1); nil when there is another scheme.
  private static func token(in value: Bytes, after prefix: Bytes) -> Bytes? {
    if value.count <= prefix.count { return nil }
    for i in 0..<prefix.count where asciiLower(value[i]) != asciiLower(prefix[i]) { return nil }
    var start = prefix.count
    while start < value.count && value[start] == 0x20 { start &+= 1 }
    return start == value.count ? nil : value.slice(start, value.count)
  }

  private func verified(
    _ x: ExchangeRef, _ text: Bytes, _ rules: TokenRules, _ candidates: [Int], _ now: Double
  ) -> VerifiedToken? {
    do throws(TokenFault) {
      return try tokens.verify(text, rules, by: candidates, now: now) { control.misses(keysAt: $0) }
    } catch {
      x.pointee.authorization.isUnauthenticated = true
      context.metrics.counter(
        families.tokenFailures, [x.pointee.state.pointee.listenerName.string, error.rawValue]
      ).add()
      return nil
    }
  }

  /// What a request that may not pass is told.
  func denial(_ x: ExchangeRef) -> Failure {
    let record = x.pointee.authorization
    return record.generation == x.pointee.generation && record.isUnauthenticated ? .unauthenticated : .unauthorized
  }
}
