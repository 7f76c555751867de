import Crypto
import Foundation
import JWTKit

/// What a proxy shows to become a member of the mesh: a JWT (ES256) that names the identity it may have and the roots by
/// which it recognises the control plane.
public struct JoinToken: Sendable, Hashable {
  public enum Kind: String, Sendable, Codable { case gateway, sidecar }
  /// `once`: for one key. `many`: for any number of instances until it ends.
  public enum Use: String, Sendable, Codable { case once, many }

  /// Bytes of a token.
  public static let maxLength = 8_192
  /// Seconds that a token lives at most.
  public static let maxLifetime: Int64 = 30 * 86_400

  public let id: String
  /// The identity that it gives.
  public let workload: SPIFFEID
  public let kind: Kind
  public let use: Use
  /// Seconds since the Unix epoch.
  public let issued: Double
  /// Seconds since the Unix epoch.
  public let expires: Int64
  /// SHA-256 of each root that is trusted when it is issued, in hexadecimal: a control plane whose chain ends in none of
  /// them is not the one that issued the token.
  public let roots: [String]

  /// - Parameter lifetime: in seconds, 1 to `maxLifetime`.
  public init(
    workload: SPIFFEID, kind: Kind, use: Use, lifetime: Int64, roots: [String], now: Date = Date()
  ) throws(IdentityError) {
    guard (1...Self.maxLifetime).contains(lifetime) else {
      throw IdentityError("a join token lives 1 s to \(Self.maxLifetime / 86_400) days, not \(lifetime) s")
    }
    id = UUID().uuidString.lowercased()
    self.workload = workload
    self.kind = kind
    self.use = use
    issued = now.timeIntervalSince1970
    expires = Int64(issued) + lifetime
    self.roots = roots
  }

  /// Reads a token without checking its signature, for the proxy that it was given to: it learns who it is and whom to
  /// trust. The control plane checks.
  public init(unverified text: String) throws(IdentityError) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard text.utf8.count <= Self.maxLength, parts.count == 3 else {
      throw IdentityError("this is no join token; \"weft token create --join\" makes one")
    }
    var body = String(parts[1]).replacing("-", with: "+").replacing("_", with: "/")
    body += String(repeating: "=", count: (4 - body.utf8.count % 4) % 4)
    guard let data = Data(base64Encoded: body), let claims = try? JSONDecoder().decode(JoinClaims.self, from: data)
    else {
      throw IdentityError("the join token cannot be read: copy it again, whole")
    }
    self = try claims.token
  }

  init(
    id: String, workload: SPIFFEID, kind: Kind, use: Use, issued: Double, expires: Int64, roots: [String]
  ) {
    self.id = id
    self.workload = workload
    self.kind = kind
    self.use = use
    self.issued = issued
    self.expires = expires
    self.roots = roots
  }
}

/// The claims of a join token as the JWT carries them.
struct JoinClaims: JWTPayload {
  /// The trust domain.
  let iss: String
  /// NAMESPACE/NAME.
  let sub: String
  let kind: JoinToken.Kind
  let jti: String
  let iat: Double
  let exp: Int64
  let use: JoinToken.Use
  let ca: [String]

  init(_ token: JoinToken) {
    iss = token.workload.trustDomain
    sub = "\(token.workload.namespace)/\(token.workload.name)"
    kind = token.kind
    jti = token.id
    iat = token.issued
    exp = token.expires
    use = token.use
    ca = token.roots
  }

  /// Times are checked where the present time is known.
  func verify(using algorithm: some JWTAlgorithm) throws {}

  var token: JoinToken {
    get throws(IdentityError) {
      let names = sub.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard names.count == 2, let id = SPIFFEID(trustDomain: iss, namespace: names[0], name: names[1]),
        jti.utf8.count <= 64,
        jti.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d }),
        !jti.isEmpty, ca.count <= 16, ca.allSatisfy({ $0.utf8.count == 64 }), Double(exp) > iat, iat > 0
      else { throw IdentityError("the join token's claims make no sense; have a new one made") }
      return JoinToken(id: jti, workload: id, kind: kind, use: use, issued: iat, expires: exp, roots: ca)
    }
  }
}
