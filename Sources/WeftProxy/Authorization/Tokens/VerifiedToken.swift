import WeftConfig
import WeftIO

/// Why a token is not taken.
enum TokenFault: String, Error, CaseIterable {
  case malformed
  /// No rule is for its issuer.
  case issuer
  case audience
  case expired
  /// Its time has not come.
  case early
  /// No key of the issuer has signed it, by an algorithm that is taken.
  case signature
  /// The issuer's keys have not been fetched yet.
  case keys
}

/// A token that was verified, with what policies ask about it. Belongs to one worker.
final class VerifiedToken {
  /// `ISSUER/SUBJECT`; empty without a subject.
  let principal: OwnedBytes
  let audiences: [OwnedBytes]
  /// The party that the token was issued to (`azp`).
  let presenter: OwnedBytes
  /// The claims as they came, in base64url; empty where no rule writes them into a field.
  let payload: OwnedBytes
  /// The rule that it was verified by, in its `TokenRules`.
  let rule: Int
  /// Seconds since 1970 between which it is good, with what clocks may differ.
  let begins: Double
  let ends: Double
  private let claims: JSONValue
  /// What was asked for before: as many entries as the policies of a configuration have different claims.
  private var found: [[String]: [OwnedBytes]] = [:]

  init(claims: JSONValue, rule: Int, begins: Double, ends: Double, payload: Bytes) {
    self.payload = OwnedBytes(payload)
    self.claims = claims
    self.rule = rule
    self.begins = begins
    self.ends = ends
    let subject = claims["sub"]?.string ?? ""
    principal = OwnedBytes(subject.isEmpty ? "" : "\(claims["iss"]?.string ?? "")/\(subject)")
    audiences = Self.audiences(claims).map { OwnedBytes($0) }
    presenter = OwnedBytes(claims["azp"]?.string ?? "")
  }

  static func audiences(_ claims: JSONValue) -> [String] {
    if let one = claims["aud"]?.string { return [one] }
    return claims["aud"]?.array?.compactMap(\.string) ?? []
  }

  /// The texts of a claim: of a string, number or boolean one, of a list each. A scope is a list of words, too (RFC 8693
  /// 4.2).
  func values(of path: [String]) -> [OwnedBytes] {
    if let known = found[path] { return known }
    var value: JSONValue? = claims
    for name in path { value = value?[name] }
    var texts = (value?.array ?? value.map { [$0] } ?? []).compactMap(Self.text)
    if texts.count == 1, let name = path.last, ["scope", "scp", "permission"].contains(name) {
      texts += texts[0].split(separator: " ").map(String.init)
    }
    let made = texts.map { OwnedBytes($0) }
    found[path] = made
    return made
  }

  static func text(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text
    case .number(let text): text
    case .bool(let value): value ? "true" : "false"
    case .null, .array, .object: nil
    }
  }
}
