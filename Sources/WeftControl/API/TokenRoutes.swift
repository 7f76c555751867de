import HTTPTypes
import Hummingbird
import WeftConfig

/// Tokens of the API, and tokens with which proxies join.
struct TokenRoutes: Sendable {
  let tokens: APITokens
  let joining: (any JoinTokenIssuer)?

  /// Seconds that a token may live: ten years.
  static let lifetimes = 1...315_360_000

  var endpoints: [APIEndpoint] {
    [
      APIEndpoint(.get, "/weft/v1/tokens", .administer, "Tokens of the API, without their secrets") { _, _ in
        Response(["tokens": .array(try await tokens.all().map(\.json))])
      },
      APIEndpoint(
        .post, "/weft/v1/tokens", .administer,
        "Makes a token of the API: a body {\"name\", \"role\", \"lifetimeSeconds\"}. The answer is the one place where it is shown",
        status: 201, hasBody: true, create),
      APIEndpoint(
        .delete, "/weft/v1/tokens/{name}", .administer, "Ends a token of the API, by name or id",
        { _, context in
          Response(try await tokens.revoke(try context.parameter("name"), by: context.author).json)
        }),
      APIEndpoint(
        .post, "/weft/v1/join-tokens", .administer,
        "Makes a token with which a proxy gets its first certificate: a body {\"kind\": \"gateway\" or \"sidecar\", \"namespace\", \"name\", \"lifetimeSeconds\", \"isReusable\"}",
        status: 201, hasBody: true, join),
    ]
  }

  private static func lifetime(_ body: JSONValue) throws -> Int? {
    guard let given = body["lifetimeSeconds"], given != .null else { return nil }
    guard let seconds = given.int, lifetimes.contains(seconds) else {
      throw APIProblem(
        .unprocessableContent, "lifetimeSeconds takes \(lifetimes.lowerBound) to \(lifetimes.upperBound)")
    }
    return seconds
  }

  @Sendable private func create(_ request: Request, _ context: APIContext) async throws -> Response {
    let body = try await APIBody.value(request)
    guard let name = body["name"]?.string else { throw APIProblem(.unprocessableContent, "name is missing") }
    guard let role = body["role"]?.string.flatMap(APIRole.init) else {
      throw APIProblem(
        .unprocessableContent, "role is one of \(APIRole.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let (text, token) = try await tokens.create(
      name: name, role: role, lifetime: try Self.lifetime(body), by: context.author)
    var value = token.json
    value["token"] = .string(text)
    var response = Response(value, status: .created)
    response.headers[.cacheControl] = "no-store"
    return response
  }

  @Sendable private func join(_ request: Request, _ context: APIContext) async throws -> Response {
    guard let joining else { throw APIProblem(.serviceUnavailable, "this control plane has no certificate authority") }
    let body = try await APIBody.value(request)
    guard let kind = body["kind"]?.string.flatMap(ProxyStatus.Kind.init) else {
      throw APIProblem(.unprocessableContent, "kind is gateway or sidecar")
    }
    let namespace = body["namespace"]?.string ?? "default"
    guard ResourceDocument.isName(namespace, limit: 63, dots: false), let name = body["name"]?.string,
      ResourceDocument.isName(name, limit: 253, dots: true)
    else {
      throw APIProblem(
        .unprocessableContent,
        "\"\(namespace.prefix(80))/\(body["name"]?.string?.prefix(260) ?? "")\" is no NAMESPACE/NAME of a \(kind == .gateway ? "gateway" : "service"): both take lower-case letters, digits, \"-\", and the name \".\" too"
      )
    }
    let token = try await joining.issueJoinToken(
      kind: kind, namespace: namespace, name: name, lifetime: try Self.lifetime(body),
      isReusable: body["isReusable"]?.bool ?? false, by: context.author)
    var response = Response(
      [
        "token": .string(token.text), "expires": .number("\(token.expires)"),
        "subject": .string("\(namespace)/\(name)"),
      ],
      status: .created)
    response.headers[.cacheControl] = "no-store"
    return response
  }
}

/// What the API asks of the certificate authority.
public protocol JoinTokenIssuer: Sendable {
  /// Makes a token with which a proxy gets its first certificate, and writes that into the audit log.
  /// - Parameters:
  ///   - lifetime: seconds; nil: the authority's own choice.
  ///   - isReusable: whether more than one proxy may use it.
  func issueJoinToken(
    kind: ProxyStatus.Kind, namespace: String, name: String, lifetime: Int?, isReusable: Bool, by author: Author
  ) async throws -> IssuedJoinToken
}

/// A join token as it is shown, once.
public struct IssuedJoinToken: Sendable {
  public let text: String
  /// Seconds since the Unix epoch.
  public let expires: Int

  public init(text: String, expires: Int) {
    self.text = text
    self.expires = expires
  }
}
