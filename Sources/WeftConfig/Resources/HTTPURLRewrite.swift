/// Changes where a request is sent to, unseen by the client.
public struct HTTPURLRewrite: Sendable, Hashable {
  /// Takes the place of the Host header.
  public let hostname: String?
  public let path: HTTPPathModifier?

  init(_ reader: ObjectReader) {
    hostname = reader.optionalString("hostname", .hostname)
    path = reader.optionalObject("path", HTTPPathModifier.init)
  }
}
