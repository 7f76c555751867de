import WeftFilter
import WeftHTTP
import WeftIO

/// What gRPC clients are told.
extension Worker {
  /// Longest text of a status.
  private static let messageLimit = 1024

  func isGRPC(_ s: UnsafeMutablePointer<ExchangeState>) -> Bool {
    s.pointee.request.headers.value(.contentType).map { GRPCStatus.isGRPC(contentType: $0) } ?? false
  }

  /// A response of the proxy's own to a gRPC request becomes what gRPC calls trailers-only: status 200, and the gRPC
  /// status and message in the head. A client would otherwise have to guess from the HTTP status.
  func answerAsGRPC(_ x: ExchangeRef) {
    let s = x.pointee.state
    if !isGRPC(s) || s.pointee.response.headers.find(Bytes("grpc-status")) != nil { return }
    let status = GRPCStatus(httpStatus: s.pointee.response.status)
    let text = s.pointee.localBody.bytes
    var end = min(text.count, Self.messageLimit)
    while end > 0 && text[end &- 1] == 0x0a { end &-= 1 }
    s.pointee.response.setStatus(200)
    s.pointee.response.headers.remove(.contentType)
    s.pointee.response.headers.add(Names.contentType, Bytes("application/grpc"))
    var w = ByteWriter(scratch, Self.scratchSize)
    w.append(decimal: status.rawValue)
    s.pointee.response.headers.add(Bytes("grpc-status"), w.bytes, known: .other)
    w = ByteWriter(scratch, Self.scratchSize)
    GRPCStatus.encode(message: text.slice(0, end), into: &w)
    if w.count > 0 { s.pointee.response.headers.add(Bytes("grpc-message"), w.bytes, known: .other) }
    s.pointee.localBody.reset()
  }
}
