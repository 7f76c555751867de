import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// `redirect`: answers with a redirect. What is not given stays as the request has it.
///
/// Also the Gateway API's RequestRedirect, whose rules for the port it follows.
public struct Redirect: FilterType {
  public static let name = "redirect"

  public enum Scheme: String, Sendable, CaseIterable {
    case http
    case https

    var port: UInt16 { self == .http ? 80 : 443 }
  }

  let scheme: Scheme?
  let hostname: OwnedBytes?
  let path: PathRewrite?
  let port: UInt16?
  let status: Int

  /// - Parameters:
  ///   - port: nil: the well-known one of `scheme` if that is given, otherwise the one that the client came to.
  ///   - status: 301, 302, 303, 307 or 308.
  public init(
    scheme: Scheme? = nil, hostname: String? = nil, path: PathRewrite? = nil, port: UInt16? = nil, status: Int = 302
  ) throws(InvalidFilterValue) {
    if let hostname { _ = try HeaderChanges.Field(name: "host", value: hostname) }
    if !Redirect.statuses.contains(status) { throw InvalidFilterValue(Redirect.wrongStatus(status)) }
    self.scheme = scheme
    self.hostname = hostname.map { OwnedBytes($0) }
    self.path = path
    self.port = port
    self.status = status
  }

  public init(_ redirect: HTTPRequestRedirect) throws(InvalidFilterValue) {
    var path: PathRewrite?
    if let modifier = redirect.path { path = try PathRewrite(modifier) }
    try self.init(
      scheme: redirect.scheme.flatMap { Scheme(rawValue: $0.rawValue) }, hostname: redirect.hostname, path: path,
      port: redirect.port.map { UInt16(clamping: $0) }, status: redirect.statusCode)
  }

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    scheme = reader.optionalEnumeration("scheme")
    hostname = reader.optionalString("hostname", .hostname).map { OwnedBytes($0) }
    path = reader.optionalObject("path") { try PathRewrite($0) } ?? nil
    port = reader.optionalInt("port", in: 1...65_535).map { UInt16(clamping: $0) }
    status = reader.int("statusCode", default: 302)
    if !Redirect.statuses.contains(status) { reader.error("statusCode", Redirect.wrongStatus(status)) }
  }

  public func makeFilter(_ worker: WorkerContext) throws -> HTTPFilter {
    RedirectFilter(self, rewriter: try path.map { try PathRewriter($0) })
  }

  private static let statuses = [301, 302, 303, 307, 308]

  private static func wrongStatus(_ status: Int) -> String {
    "\(status) is not allowed; use one of \(statuses.map(String.init).joined(separator: ", "))"
  }
}

final class RedirectFilter: HTTPFilter {
  private let redirect: Redirect
  private let rewriter: PathRewriter?
  private let scratch = MutableBytePointer.allocate(capacity: RedirectFilter.locationLimit)
  private static let locationLimit = PathRewriter.targetLimit + 512
  private static let location = HeaderName("location")

  init(_ redirect: Redirect, rewriter: PathRewriter?) {
    self.redirect = redirect
    self.rewriter = rewriter
  }

  deinit { scratch.deallocate() }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    guard let location = location(exchange) else {
      exchange.respond(500, body: Bytes("the redirect's location cannot be made\n"), details: "redirect_failed")
      return .respond
    }
    exchange.respond(redirect.status, details: "redirect")
    exchange.response.headers.add(Self.location, location)
    return .respond
  }

  private func location(_ exchange: Exchange) -> Bytes? {
    let received = exchange.request.headers.text(exchange.request.target)
    guard let target = rewriter == nil ? received : rewriter?.target(exchange) else { return nil }
    var w = ByteWriter(scratch, Self.locationLimit)
    let authority = exchange.request.headers.value(.host) ?? Bytes()
    let (host, hostPort) = Self.split(authority)
    let name = redirect.hostname?.bytes ?? host
    if !name.isEmpty {
      let scheme = redirect.scheme?.rawValue ?? (exchange.isTLS ? "https" : "http")
      let listener = exchange.localAddress.ip == nil ? hostPort : exchange.localAddress.port
      let wellKnown: UInt16 = scheme == "https" ? 443 : 80
      let port = redirect.port ?? redirect.scheme?.port ?? listener ?? wellKnown
      w.append(scheme)
      w.append("://")
      w.append(name)
      if port != wellKnown {
        w.append(byte: 0x3a)
        w.append(decimal: UInt64(port))
      }
      if target.isEmpty || target[0] != 0x2f { w.append(byte: 0x2f) } else { w.append(target) }
    } else {
      // HTTP/1.0 without Host. Two slashes at the start would name another host.
      var from = 0
      while from &+ 1 < target.count && target[from] == 0x2f && target[from &+ 1] == 0x2f { from &+= 1 }
      w.append(target.slice(from, target.count))
    }
    return w.overflow ? nil : w.bytes
  }

  /// Host and port of an authority that the parser has found valid; the host of an IPv6 address with its brackets.
  private static func split(_ authority: Bytes) -> (Bytes, UInt16?) {
    var end = 0
    if authority.count > 0 && authority[0] == 0x5b {
      end = (authority.firstIndex(of: 0x5d) ?? (authority.count &- 1)) &+ 1
    } else {
      end = authority.firstIndex(of: 0x3a) ?? authority.count
    }
    let port = authority.slice(end &+ 1, authority.count).decimal.map { UInt16(clamping: $0) }
    return (authority.slice(0, end), port)
  }
}
