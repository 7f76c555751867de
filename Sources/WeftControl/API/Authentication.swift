import HTTPTypes
import Hummingbird
import HummingbirdTLS
import NIOCore
import NIOSSL
import WeftIdentity

/// Finds out who asks, before anything else is done.
///
/// Without any credentials (no token was ever made, no client certificate has a role) a client of this machine is an
/// administrator, and nobody else gets in. A web page that the user's browser has open is not the user: requests that
/// come from one are refused by their `Host` (DNS rebinding), `Origin` and `Sec-Fetch-Site`, and changes need a content
/// type that a page cannot send without asking first.
struct Authentication: RouterMiddleware {
  typealias Context = APIContext

  let tokens: APITokens
  let clientRoles: [ClientRole]
  /// Whether the server listens where only this machine gets.
  let isLoopback: Bool

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    var context = context
    do {
      try refuseStrangers(request)
      let path = request.uri.path
      if path != "/healthz" && path != "/readyz" {
        (context.author, context.role) = try await identify(request, context)
      }
    } catch {
      return APIProblem(error).response
    }
    return try await next(request, context)
  }

  private func identify(_ request: Request, _ context: APIContext) async throws -> (Author, APIRole) {
    let address = context.author.address
    if let field = request.headers[.authorization] {
      let parts = field.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == "bearer" else {
        throw APIProblem(.unauthorized, "authorization takes a token: \"Bearer weft_...\"")
      }
      guard let token = try await tokens.verify(String(parts[1])) else {
        throw APIProblem(.unauthorized, "the token is unknown, was revoked, or has ended")
      }
      return (Author(name: "token:\(token.name)", role: token.role.rawValue, address: address), token.role)
    }
    if !clientRoles.isEmpty, let identity = await certificate(context.channel) {
      guard let match = clientRoles.first(where: { $0.identity == identity }) else {
        throw APIProblem(.forbidden, "no role is configured for the client certificate of \(identity)")
      }
      return (Author(name: identity.description, role: match.role.rawValue, address: address), match.role)
    }
    if isLoopback, clientRoles.isEmpty, try await !tokens.exist() {
      return (Author(name: "local", role: APIRole.admin.rawValue, address: address), .admin)
    }
    throw APIProblem(.unauthorized, "this needs a token: send \"Authorization: Bearer weft_...\"")
  }

  /// The SPIFFE ID of the client's certificate, which TLS has verified.
  private func certificate(_ channel: any Channel) async -> SPIFFEID? {
    guard let certificate = try? await channel.nioSSL_peerCertificate().get() else { return nil }
    for name in certificate._subjectAlternativeNames() where name.nameType == .uri {
      if let id = SPIFFEID(String(decoding: name.contents, as: UTF8.self)) { return id }
    }
    return nil
  }

  private func refuseStrangers(_ request: Request) throws {
    let host = request.head.authority ?? ""
    if isLoopback, !Self.isLoopback(host: host) {
      throw APIProblem(
        .forbidden,
        "the API is for this machine alone, and the request is for \"\(host.prefix(100))\"; use localhost or 127.0.0.1")
    }
    if let origin = request.headers[.origin], origin.split(separator: "/").last.map(String.init) != host {
      throw APIProblem(.forbidden, "requests of web pages elsewhere (\(origin.prefix(100))) are refused")
    }
    if let site = request.headers[.secFetchSite], site != "same-origin", site != "none" {
      throw APIProblem(.forbidden, "requests of web pages elsewhere are refused")
    }
  }

  /// Whether `HOST[:PORT]` names this machine.
  static func isLoopback(host: String) -> Bool {
    let name: Substring
    if host.hasPrefix("[") {
      name = host.dropFirst().prefix { $0 != "]" }
    } else {
      name = host.prefix { $0 != ":" }
    }
    if name == "localhost" || name == "::1" { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}

/// What the bearer of a client certificate may do.
public struct ClientRole: Sendable, Hashable {
  public let identity: SPIFFEID
  public let role: APIRole

  /// Reads `spiffe://DOMAIN/ns/NAMESPACE/sa/NAME=ROLE`; nil when it is not that.
  public init?(_ text: String) {
    guard let equals = text.lastIndex(of: "="), let identity = SPIFFEID(String(text[..<equals])),
      let role = APIRole(rawValue: String(text[text.index(after: equals)...]))
    else { return nil }
    self.identity = identity
    self.role = role
  }
}

extension HTTPField.Name {
  static let warning = HTTPField.Name("Warning")!
  static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
