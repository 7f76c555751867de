import Foundation

/// What a join token says, as far as the proxy needs it. Who has signed it is the control plane's to verify: a forged
/// one gets no certificate.
struct JoinTokenClaims: Decodable {
  /// The trust domain.
  let iss: String
  /// NAMESPACE/NAME.
  let sub: String
  let kind: String
  /// Seconds since the Unix epoch.
  let exp: Double
  /// SHA-256 of each root that is trusted, in hexadecimal digits, perhaps after `sha256:`.
  let ca: [String]

  /// Characters of a token.
  private static let limit = 64 << 10

  static func read(_ token: String) throws(MeshError) -> JoinTokenClaims {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard token.utf8.count <= limit, parts.count == 3, let data = base64URL(parts[1]),
      let claims = try? JSONDecoder().decode(JoinTokenClaims.self, from: data)
    else {
      throw MeshError(
        "the join token is not one that the control plane made; make one with \"weft token create --join ...\"")
    }
    return claims
  }

  private static func base64URL(_ text: Substring) -> Data? {
    var base64 = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
    base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
    return Data(base64Encoded: base64)
  }

  /// The digests of the roots, in lower case without a prefix.
  var rootDigests: Set<String> {
    Set(ca.map { ($0.hasPrefix("sha256:") ? String($0.dropFirst(7)) : $0).lowercased() })
  }

  /// - Throws: when the token is for another proxy than this one, or over.
  func check(_ options: MeshOptions, now: Double = Date().timeIntervalSince1970) throws(MeshError) {
    guard sub == "\(options.namespace)/\(options.name)", kind == options.kind.rawValue else {
      throw MeshError(
        "the join token is for the \(kind) \(sub), not for the \(options.kind.rawValue) \(options.namespace)/\(options.name); make one for this proxy with \"weft token create --join\""
      )
    }
    if exp < now { throw MeshError("the join token has expired; make a new one with \"weft token create --join\"") }
  }
}
