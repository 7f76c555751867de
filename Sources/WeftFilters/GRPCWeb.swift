import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// `grpc-web`: lets clients that speak gRPC-Web (gRPC's PROTOCOL-WEB), as browsers do, reach services that speak gRPC.
public struct GRPCWeb: FilterType {
  public static let name = "grpc-web"

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {}

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter { GRPCWebFilter() }
}

final class GRPCWebFilter: HTTPFilter {
  /// What is kept with an exchange, as its `filterNumber`: the forms of request and response, and what is left over of the
  /// base64 of the request.
  private struct Form {
    var isText: Bool
    /// Of the response.
    var wantsText: Bool
    /// Up to three characters that wait for the rest of their group.
    var pending: [UInt8] = []

    init(isText: Bool, wantsText: Bool) {
      self.isText = isText
      self.wantsText = wantsText
    }

    init?(_ number: UInt) {
      if number & 1 == 0 { return nil }
      isText = number & 2 != 0
      wantsText = number & 16 != 0
      let count = Int(number >> 2 & 3)
      for i in 0..<count { pending.append(UInt8(truncatingIfNeeded: number >> UInt(8 &+ 8 &* i))) }
    }

    var number: UInt {
      var n: UInt = 1 | (isText ? 2 : 0) | UInt(pending.count & 3) << 2 | (wantsText ? 16 : 0)
      for (i, c) in pending.prefix(3).enumerated() { n |= UInt(c) << UInt(8 &+ 8 &* i) }
      return n
    }
  }

  private static let accept = HeaderName("accept")
  private static let contentType = HeaderName("content-type")
  private static let contentLength = HeaderName("content-length")
  private static let te = HeaderName("te")
  private static let web: StaticString = "application/grpc-web"
  private static let textType: StaticString = "application/grpc-web-text"

  override var phases: FilterPhases { [.request, .response] }

  /// Whether the type is gRPC-Web's text form, and the format of its messages, with what is before it; nil when it is not
  /// gRPC-Web.
  private static func form(_ type: Bytes) -> (isText: Bool, rest: Bytes)? {
    let web = Bytes(Self.web)
    if type.count < web.count || !type.slice(0, web.count).equalsIgnoringCase(web) { return nil }
    var rest = type.slice(web.count, type.count)
    let text = Bytes("-text")
    let isText = rest.count >= text.count && rest.slice(0, text.count).equalsIgnoringCase(text)
    if isText { rest = rest.slice(text.count, rest.count) }
    if rest.count > 0 && ![0x2b, 0x3b, 0x2c, 0x20].contains(rest[0]) { return nil }
    return (isText, rest)
  }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    guard let type = exchange.request.headers.value(Self.contentType), let (isText, rest) = Self.form(type) else {
      return .next
    }
    let accepted = exchange.request.headers.value(Self.accept).flatMap(Self.form)
    let wantsText = accepted?.isText ?? isText
    let plain = Array("application/grpc".utf8) + rest.array
    plain.withUnsafeBufferPointer { b in
      if let base = b.baseAddress { exchange.request.headers.set(Self.contentType, Bytes(base, b.count)) }
    }
    exchange.request.headers.set(Self.te, Bytes("trailers"))
    exchange.filterNumber = Form(isText: isText, wantsText: wantsText).number
    if isText {
      exchange.request.headers.remove(Self.contentLength)
      exchange.watchRequestBody()
    }
    return .next
  }

  override func onRequestBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    guard var form = Form(exchange.filterNumber) else { return .next }
    guard let decoded = Base64Groups.decode(&form.pending, chunk.bytes), !chunk.isLast || form.pending.isEmpty else {
      // The request goes nowhere, and an answer in gRPC's own form is not for this client.
      exchange.request.headers.set(Self.contentType, Bytes(Self.textType))
      exchange.respond(400, body: Bytes("the body is not base64\n"), details: "grpc_web_body_invalid")
      return .respond
    }
    exchange.filterNumber = form.number
    _ = decoded.withUnsafeBufferPointer { b in
      chunk.replace(with: b.baseAddress.map { Bytes($0, b.count) } ?? Bytes())
    }
    return .next
  }

  override func onResponse(_ exchange: Exchange) -> FilterVerdict {
    guard let form = Form(exchange.filterNumber),
      let type = exchange.response.headers.value(Self.contentType), GRPCStatus.isGRPC(contentType: type)
    else { return .next }
    let rest = type.slice("application/grpc".utf8.count, type.count)
    let name = Array((form.wantsText ? "application/grpc-web-text" : "application/grpc-web").utf8) + rest.array
    name.withUnsafeBufferPointer { b in
      if let base = b.baseAddress { exchange.response.headers.set(Self.contentType, Bytes(base, b.count)) }
    }
    exchange.response.headers.remove(Self.contentLength)
    exchange.watchResponseBody()
    return .next
  }

  override func onResponseBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    guard let form = Form(exchange.filterNumber) else { return .next }
    var bytes = chunk.bytes.array
    if chunk.isLast { bytes += trailerFrame(exchange) }
    if form.wantsText { bytes = Base64Groups.encode(bytes) }
    _ = bytes.withUnsafeBufferPointer { b in
      chunk.replace(with: b.baseAddress.map { Bytes($0, b.count) } ?? Bytes())
    }
    return .next
  }

  override func onEnd(_ exchange: Exchange) { exchange.filterNumber = 0 }

  /// The trailers as the last frame of the body: a byte with its first bit set, the length, the field lines.
  private func trailerFrame(_ exchange: Exchange) -> [UInt8] {
    var lines: [UInt8] = []
    let count = exchange.responseTrailers.count
    for i in 0..<count where !exchange.responseTrailers.isRemoved(i) {
      lines += exchange.responseTrailers.name(at: i).array.map(asciiLower)
      lines += Array(": ".utf8) + exchange.responseTrailers.value(at: i).array + Array("\r\n".utf8)
      exchange.responseTrailers.remove(at: i)
    }
    if lines.isEmpty { return [] }
    let n = UInt32(truncatingIfNeeded: lines.count)
    return [0x80] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: n >> UInt32($0)) } + lines
  }
}
