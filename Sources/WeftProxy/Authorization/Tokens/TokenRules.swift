import Synchronization
import WeftConfig
import WeftHTTP
import WeftIO

/// The RequestAuthentications that govern one place together, compiled once for a configuration.
final class TokenRules: Sendable {
  struct Rule: Sendable {
    let issuer: String
    let audiences: Set<String>
    let keys: Keys
    let forwardsToken: Bool
    let claimHeaders: [(header: HeaderName, claim: [String])]
    let payloadHeader: HeaderName?
  }

  enum Keys: Sendable {
    case inline([TokenKey])
    /// Those that a worker was given for this address.
    case remote(RemoteKeySet)
  }

  enum Place: Sendable {
    case header(HeaderName, prefix: OwnedBytes)
    case parameter(OwnedBytes)
    case cookie(OwnedBytes)
  }

  struct Location: Sendable {
    let place: Place
    /// The rules that look here.
    let rules: [Int]
  }

  /// Bytes of a token.
  static let sizeLimit = 16 << 10
  /// Seconds by which clocks may differ.
  static let leeway = 60.0

  private static let numbers = Atomic<UInt64>(1)
  /// Tells compiled rules apart, for what is remembered of tokens.
  let number = TokenRules.numbers.add(1, ordering: .relaxed).newValue
  let rules: [Rule]
  let locations: [Location]
  /// Every field that something of a token may be written into: clients do not get to.
  let claimHeaders: [HeaderName]

  /// - Throws: a diagnostic that names the rule whose keys cannot be used.
  init(_ policies: [RequestAuthentication]) throws(Diagnostic) {
    var rules: [Rule] = []
    var order: [RequestAuthentication.Location] = []
    var lookers: [RequestAuthentication.Location: [Int]] = [:]
    for rule in policies.flatMap(\.rules) {
      let keys = try Self.keys(rule)
      for location in rule.locations {
        if lookers[location] == nil { order.append(location) }
        lookers[location, default: []].append(rules.count)
      }
      rules.append(
        Rule(
          issuer: rule.issuer, audiences: Set(rule.audiences), keys: keys, forwardsToken: rule.forwardsToken,
          claimHeaders: rule.claimHeaders.compactMap { output in
            HeaderName(output.header).map { ($0, output.claim.split(separator: ".").map(String.init)) }
          }, payloadHeader: rule.payloadHeader.flatMap { HeaderName($0) }))
    }
    self.rules = rules
    claimHeaders = rules.flatMap { $0.claimHeaders.map(\.header) + ($0.payloadHeader.map { [$0] } ?? []) }
    locations = order.compactMap { location in
      let rules = lookers[location] ?? []
      switch location {
      case .header(let name, let prefix):
        return HeaderName(name).map { Location(place: .header($0, prefix: OwnedBytes(prefix)), rules: rules) }
      case .parameter(let name): return Location(place: .parameter(OwnedBytes(name)), rules: rules)
      case .cookie(let name): return Location(place: .cookie(OwnedBytes(name)), rules: rules)
      }
    }
  }

  private static func keys(_ rule: RequestAuthentication.Rule) throws(Diagnostic) -> Keys {
    switch rule.keys {
    case .remote(let location, let timeout):
      return .remote(
        RemoteKeySet(location: location, timeout: UInt64(max(timeout.milliseconds, 1)), origins: [rule.origin]))
    case .inline(let text):
      do throws(TokenKeyError) { return .inline(try TokenKey.keys(inSet: text)) } catch {
        throw rule.origin.error("jwks \(error.description)")
      }
    }
  }

  /// What has to be fetched for these rules.
  var remoteKeySets: [RemoteKeySet] {
    rules.compactMap { if case .remote(let set) = $0.keys { set } else { nil } }
  }

  /// Verifies a token (RFC 7519 7.2, RFC 8725).
  /// - Parameters:
  ///   - candidates: the rules that it may be verified by.
  ///   - fetched: keys by the address that they come from.
  ///   - missed: told of addresses whose keys have not signed it.
  ///   - now: seconds since 1970.
  func verify(
    _ text: Bytes, by candidates: [Int], fetched: [String: [TokenKey]], now: Double, missed: (String) -> Void
  ) throws(TokenFault) -> VerifiedToken {
    guard text.count <= Self.sizeLimit else { throw .malformed }
    guard let first = text.firstIndex(of: 0x2e), let second = text.firstIndex(of: 0x2e, from: first + 1),
      text.firstIndex(of: 0x2e, from: second + 1) == nil,
      let head = Self.object(text.slice(0, first)), let claims = Self.object(text.slice(first + 1, second)),
      let signature = Base64URL.decode(text.slice(second + 1, text.count).string), let algorithm = head["alg"]?.string,
      // An extension that must be understood, and is not (RFC 7515 4.1.11).
      head["crit"] == nil, let issuer = claims["iss"]?.string
    else { throw .malformed }
    let mine = candidates.filter { rules[$0].issuer == issuer }
    if mine.isEmpty { throw .issuer }
    var fault = TokenFault.signature
    let id = head["kid"]?.string
    let signed = UnsafeRawBufferPointer(start: text.base, count: second)
    for number in mine {
      let rule = rules[number]
      let keys: [TokenKey]
      switch rule.keys {
      case .inline(let given): keys = given
      case .remote(let set):
        guard let known = fetched[set.location.uri] else {
          fault = .keys
          missed(set.location.uri)
          continue
        }
        keys = known
      }
      let isSigned = keys.contains { key in
        (id == nil || key.id == nil || key.id == id) && key.verify(algorithm, signed, signature: signature)
      }
      if !isSigned {
        if case .remote(let set) = rule.keys { missed(set.location.uri) }
        continue
      }
      guard let (begins, ends) = Self.times(claims) else { throw .malformed }
      if now >= ends { throw .expired }
      if now < begins { throw .early }
      if !rule.audiences.isEmpty, rule.audiences.isDisjoint(with: VerifiedToken.audiences(claims)) {
        fault = .audience
        continue
      }
      return VerifiedToken(
        claims: claims, rule: number, begins: begins, ends: ends,
        payload: rule.payloadHeader == nil ? Bytes() : text.slice(first + 1, second))
    }
    throw fault
  }

  /// nil when one of them is no time.
  private static func times(_ claims: JSONValue) -> (begins: Double, ends: Double)? {
    var (begins, ends) = (-Double.infinity, Double.infinity)
    if let end = claims["exp"] {
      guard case .number(let text) = end, let time = Double(text), time.isFinite else { return nil }
      ends = time + leeway
    }
    if let begin = claims["nbf"] {
      guard case .number(let text) = begin, let time = Double(text), time.isFinite else { return nil }
      begins = time - leeway
    }
    return (begins, ends)
  }

  private static func object(_ part: Bytes) -> JSONValue? {
    guard let bytes = Base64URL.decode(part.string), let value = try? JSONValue(parsing: bytes), value.object != nil
    else { return nil }
    return value
  }
}

/// Tokens that a worker has verified, so that one which comes again costs a comparison. Each has one place, which the next
/// one that belongs there takes.
struct TokenCache {
  private struct Entry {
    let rules: UInt64
    let text: OwnedBytes
    let token: VerifiedToken
  }

  private static let places = 512
  private var entries: [Entry?] = []
  /// Keys by the address that they were fetched from.
  private var fetched: [String: [TokenKey]] = [:]
  /// When the supervisor was last told that keys at an address have not signed a token, in seconds since 1970.
  private var missed: [String: Double] = [:]

  /// Other keys are in use at an address: what the old ones have signed is verified again.
  mutating func replace(_ uri: String, _ keys: [TokenKey]) {
    fetched[uri] = keys.isEmpty ? nil : keys
    missed[uri] = nil
    entries = []
  }

  /// - Parameter onMiss: told, at most once a second, of an address whose keys have not signed a token.
  /// - Throws: `TokenFault`, which is not remembered.
  mutating func verify(
    _ text: Bytes, _ rules: TokenRules, by candidates: [Int], now: Double, onMiss: (String) -> Void
  ) throws(TokenFault) -> VerifiedToken {
    if entries.isEmpty { entries = Array(repeating: nil, count: Self.places) }
    let place =
      Int(truncatingIfNeeded: SessionToken.hash(UnsafeBufferPointer(start: text.base, count: text.count)))
      & (Self.places - 1)
    if let known = entries[place], known.rules == rules.number, known.text.bytes == text,
      candidates.contains(known.token.rule), now < known.token.ends, now >= known.token.begins
    {
      return known.token
    }
    var addresses: [String] = []
    defer {
      for uri in addresses where now - missed[uri, default: 0] >= 1 || now < missed[uri, default: 0] {
        missed[uri] = now
        onMiss(uri)
      }
    }
    let token = try rules.verify(text, by: candidates, fetched: fetched, now: now) { addresses.append($0) }
    entries[place] = Entry(rules: rules.number, text: OwnedBytes(text), token: token)
    return token
  }
}
