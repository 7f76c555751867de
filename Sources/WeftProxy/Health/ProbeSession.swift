import WeftConfig
import WeftHTTP
import WeftIO

/// The HTTP/2 connection of a health check: one request, one answer.
final class ProbeSession: HTTP2Session {
  private let check: HealthCheckSettings
  private let message: [UInt8]
  private var sent = 0
  private var status = 0
  private var grpcStatus: String?
  private var body: [UInt8] = []
  private var hasEnded = false
  private var isBroken = false

  /// A message of the health protocol has a few bytes.
  private static let bodyLimit = 1024

  init(_ check: HealthCheckSettings, host: String, isTLS: Bool) throws(HTTP2Failure) {
    self.check = check
    message = check.type == .grpc ? ProbeSession.message(check.service) : []
    try super.init(role: .client, settings: HTTP2Settings())
    var fields = HTTP2FieldList()
    let isGRPC = check.type == .grpc
    let path = OwnedBytes(isGRPC ? "/grpc.health.v1.Health/Check" : check.path)
    let authority = OwnedBytes(host)
    fields.append(Bytes(":method"), isGRPC ? Bytes("POST") : Bytes("GET"))
    fields.append(Bytes(":scheme"), isTLS ? Bytes("https") : Bytes("http"))
    fields.append(Bytes(":authority"), authority.bytes)
    fields.append(Bytes(":path"), path.bytes)
    fields.append(Bytes("user-agent"), Bytes("weft-health-check"))
    if isGRPC {
      fields.append(Bytes("content-type"), Bytes("application/grpc"))
      fields.append(Bytes("te"), Bytes("trailers"))
    }
    let stream = withExtendedLifetime((path, authority)) {
      submitRequest(fields, hasBody: isGRPC, context: Unmanaged.passUnretained(self).toOpaque())
    }
    if stream == nil { isBroken = true }
  }

  /// A HealthCheckRequest, framed: `service` is its field 1.
  private static func message(_ service: String) -> [UInt8] {
    var message: [UInt8] = []
    let text = Array(service.utf8)
    if !text.isEmpty {
      message.append(0x0a)
      var n = text.count
      while n > 0x7f {
        message.append(UInt8(n & 0x7f) | 0x80)
        n >>= 7
      }
      message.append(UInt8(n))
      message += text
    }
    let n = UInt32(message.count)
    return [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: n >> UInt32($0)) } + message
  }

  /// nil as long as the answer is not complete.
  var outcome: HealthProbe.Outcome? {
    if isBroken { return .failure("the endpoint refused the request") }
    if check.type == .http { return status == 0 ? nil : HealthProbe.judge(status, check) }
    if !hasEnded { return nil }
    if let grpcStatus, grpcStatus != "0" { return .failure("gRPC status \(grpcStatus)") }
    if status != 200 { return .failure("status \(status)") }
    // HealthCheckResponse: its field 1 is the status, and 1 is SERVING. Values from 0 to 3 take one byte.
    guard body.count >= 5, body[0] == 0 else { return .failure("the answer is no gRPC message") }
    let message = body[5...]
    guard message.first == 0x08, let value = message.dropFirst().first else { return .failure("UNKNOWN") }
    switch value {
    case 1: return .success
    case 2: return .failure("NOT_SERVING")
    case 3: return .failure("SERVICE_UNKNOWN")
    default: return .failure("UNKNOWN")
    }
  }

  override func headBegan(_ stream: Int32, _ context: UnsafeMutableRawPointer?, isFirst: Bool) -> Bool {
    context != nil
  }

  override func field(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ name: Bytes, _ value: Bytes) {
    if name.equalsIgnoringCase(Bytes(":status")) {
      let code = value.decimal.flatMap { Int(exactly: $0) } ?? 0
      // An interim one is none.
      status = code < 200 ? 0 : code
    } else if name.equalsIgnoringCase(Bytes("grpc-status")) {
      grpcStatus = value.string
    }
  }

  override func headEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer, endsStream: Bool) {
    if endsStream { hasEnded = true }
  }

  override func data(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ bytes: Bytes) {
    if body.count + bytes.count <= Self.bodyLimit { body += bytes.array }
    consumed(stream, bytes.count)
  }

  override func dataEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer) { hasEnded = true }

  override func closed(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ error: UInt32) {
    if !hasEnded { isBroken = true }
  }

  override func supply(_ stream: Int32, _ context: UnsafeMutableRawPointer, limit: Int) -> Supply {
    let left = message.count - sent
    return left > limit ? .bytes(limit) : .last(left, hasTrailers: false)
  }

  override func take(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ count: Int, into w: inout ByteWriter) {
    let end = min(sent + count, message.count)
    message[sent..<end].withUnsafeBufferPointer { b in
      if let base = b.baseAddress { w.append(base, b.count) }
    }
    sent = end
  }
}
