import Crypto
import Foundation
import JWTKit

/// Signs join tokens: ECDSA on P-256.
public struct JoinTokenKey: Sendable {
  public let id: String
  private let key: ES256PrivateKey

  /// A new key.
  public init() {
    id = UUID().uuidString.lowercased()
    key = ES256PrivateKey()
  }

  public init(id: String, pem: String) throws(IdentityError) {
    self.id = id
    do { key = try ES256PrivateKey(pem: pem) } catch {
      throw IdentityError("the key for join tokens cannot be read: \(error)")
    }
  }

  /// A secret.
  public var pem: String { key.pemRepresentation }

  /// The token's text.
  public func sign(_ token: JoinToken) async throws -> String {
    let keys = JWTKeyCollection()
    await keys.add(ecdsa: key, kid: JWKIdentifier(string: id))
    return try await keys.sign(JoinClaims(token), kid: JWKIdentifier(string: id))
  }

  /// Reads a token and checks it.
  /// - Parameter keys: those that sign at present or did so not long ago.
  /// - Throws: `IdentityError` when it is malformed, of another mesh, forged or too old.
  public static func verify(
    _ text: String, with keys: [JoinTokenKey], trustDomain: String, now: Date = Date()
  ) async throws -> JoinToken {
    let claimed = try JoinToken(unverified: text)
    guard claimed.workload.trustDomain == trustDomain else {
      throw IdentityError(
        "the join token is of trust domain \(claimed.workload.trustDomain); this mesh is \(trustDomain)")
    }
    let collection = JWTKeyCollection()
    for key in keys { await collection.add(ecdsa: key.key.publicKey, kid: JWKIdentifier(string: key.id)) }
    let token: JoinToken
    do { token = try await collection.verify(text, as: JoinClaims.self).token } catch {
      throw IdentityError(
        "the join token was not signed by this mesh: have a new one made with \"weft token create --join\"")
    }
    guard Int64(now.timeIntervalSince1970) < token.expires else {
      throw IdentityError("the join token has expired: have a new one made with \"weft token create --join\"")
    }
    return token
  }
}
