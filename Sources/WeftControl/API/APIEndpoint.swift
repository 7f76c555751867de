import HTTPTypes
import Hummingbird
import WeftConfig

/// One method of one path, with what it asks for and what OpenAPI says of it.
struct APIEndpoint: Sendable {
  typealias Handler = @Sendable (Request, APIContext) async throws -> Response

  let method: HTTPRequest.Method
  /// With parameters in braces: `/weft/v1/tokens/{id}`.
  let path: String
  /// nil: open to everybody.
  let permission: APIPermission?
  let summary: String
  /// Parameters behind the question mark.
  let query: [String]
  /// The status of success.
  let status: Int
  /// Whether a body is expected.
  let hasBody: Bool
  /// Its content type.
  let bodyType: String
  let handler: Handler

  init(
    _ method: HTTPRequest.Method, _ path: String, _ permission: APIPermission?, _ summary: String,
    query: [String] = [], status: Int = 200, hasBody: Bool = false,
    bodyType: String = "application/json", _ handler: @escaping Handler
  ) {
    self.method = method
    self.path = path
    self.permission = permission
    self.summary = summary
    self.query = query
    self.status = status
    self.hasBody = hasBody
    self.bodyType = bodyType
    self.handler = handler
  }

  func register(on router: Router<APIContext>) {
    let (permission, handler) = (permission, handler)
    router.on(RouterPath(path), method: method) { request, context -> Response in
      do {
        if let permission { try context.require(permission) }
        return try await handler(request, context)
      } catch {
        return APIProblem(error).response
      }
    }
  }
}

extension APIContext {
  /// A parameter of the path, with its escapes resolved.
  func parameter(_ name: String) throws -> String {
    guard let text = parameters.get(name), let plain = text.removingPercentEncoding else {
      throw APIProblem(.badRequest, "\(name) is malformed")
    }
    return plain
  }
}
