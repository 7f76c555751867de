/// Answers with a redirect. What is not given stays as the request has it.
public struct HTTPRequestRedirect: Sendable, Hashable {
  public enum Scheme: String, Sendable, Hashable, CaseIterable {
    case http
    case https
  }

  public let scheme: Scheme?
  public let hostname: String?
  public let path: HTTPPathModifier?
  /// When nil: the well-known port of `scheme` if that is given, otherwise the listener's.
  public let port: Int?
  /// 301, 302 (unless given), 303, 307 or 308.
  public let statusCode: Int

  init(_ reader: ObjectReader) {
    scheme = reader.optionalEnumeration("scheme")
    hostname = reader.optionalString("hostname", .hostname)
    path = reader.optionalObject("path", HTTPPathModifier.init)
    port = reader.optionalInt("port", in: Bounds.port)
    statusCode = reader.int("statusCode", default: 302)
    if ![301, 302, 303, 307, 308].contains(statusCode) {
      reader.error("statusCode", "\(statusCode) is not allowed; use one of 301, 302, 303, 307, 308")
    }
  }
}
