import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// `url-rewrite`: changes host and path of requests on their way upstream, unseen by the client.
///
/// Also the Gateway API's URLRewrite.
public struct URLRewrite: FilterType {
  public static let name = "url-rewrite"

  let hostname: OwnedBytes?
  let path: PathRewrite?

  /// - Parameter hostname: takes the place of the Host field; nil: it stays.
  /// - Throws: when the host is none.
  public init(hostname: String? = nil, path: PathRewrite? = nil) throws(InvalidFilterValue) {
    if let hostname { _ = try HeaderChanges.Field(name: "host", value: hostname) }
    self.hostname = hostname.map { OwnedBytes($0) }
    self.path = path
  }

  public init(_ rewrite: HTTPURLRewrite) throws(InvalidFilterValue) {
    var path: PathRewrite?
    if let modifier = rewrite.path { path = try PathRewrite(modifier) }
    try self.init(hostname: rewrite.hostname, path: path)
  }

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    if !reader.has("hostname") && !reader.has("path") {
      reader.error(nil, "changes nothing; give \"hostname\", \"path\" or both")
    }
    hostname = reader.optionalString("hostname", .hostname).map { OwnedBytes($0) }
    path = reader.optionalObject("path") { try PathRewrite($0) } ?? nil
  }

  public func makeFilter(_ worker: WorkerContext) throws -> HTTPFilter {
    URLRewriteFilter(hostname: hostname, rewriter: try path.map { try PathRewriter($0) })
  }
}

final class URLRewriteFilter: HTTPFilter {
  private let hostname: OwnedBytes?
  private let rewriter: PathRewriter?
  private static let host = HeaderName("host")

  init(hostname: OwnedBytes?, rewriter: PathRewriter?) {
    self.hostname = hostname
    self.rewriter = rewriter
  }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    if let rewriter {
      guard let target = rewriter.target(exchange), exchange.request.setTarget(target) else {
        exchange.respond(500, body: Bytes("the request's path cannot be rewritten\n"), details: "url_rewrite_failed")
        return .respond
      }
    }
    if let hostname { exchange.request.headers.set(Self.host, hostname.bytes) }
    return .next
  }
}
