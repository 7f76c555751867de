import HTTPTypes
import WeftIdentity
import WeftStore

/// Join tokens of a certificate authority, each noted in the audit log.
public struct JoinTokens: JoinTokenIssuer {
  /// Seconds for which a token is good unless something else is asked for.
  static let lifetime: Int64 = 86_400

  let authority: Authority
  let store: any Store

  public init(_ authority: Authority, _ store: any Store) {
    self.authority = authority
    self.store = store
  }

  public func issueJoinToken(
    kind: ProxyStatus.Kind, namespace: String, name: String, lifetime: Int?, isReusable: Bool, by author: Author
  ) async throws -> IssuedJoinToken {
    let (text, token): (String, JoinToken)
    do {
      (text, token) = try await authority.issueToken(
        namespace: namespace, name: name, kind: kind == .gateway ? .gateway : .sidecar, use: isReusable ? .many : .once,
        lifetime: lifetime.map { Int64($0) } ?? Self.lifetime)
    } catch let error as IdentityError {
      throw APIProblem(.unprocessableContent, error.description)
    }
    try await store.commit(
      Transaction([
        AuditLog.entry(
          "join token create", by: author,
          [
            .init(
              subject: [
                "joinToken": .string(token.id), "kind": .string(kind.rawValue),
                "workload": .string(token.workload.description), "isReusable": .bool(isReusable),
              ], outcome: "created", differences: [])
          ])
      ]))
    return IssuedJoinToken(text: text, expires: Int(token.expires))
  }
}
