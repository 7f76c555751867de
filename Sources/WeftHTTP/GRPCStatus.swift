import WeftIO

/// Status codes of gRPC, and how they relate to those of HTTP (gRPC's "Status codes" and "HTTP to gRPC status mapping").
public enum GRPCStatus: Int, Sendable, CaseIterable {
  case ok, cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
  case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, `internal`, unavailable, dataLoss
  case unauthenticated

  /// What a client takes a response for that has this HTTP status and no gRPC status.
  public init(httpStatus: Int) {
    switch httpStatus {
    case 400: self = .internal
    case 401: self = .unauthenticated
    case 403: self = .permissionDenied
    case 404: self = .unimplemented
    case 429, 502, 503, 504: self = .unavailable
    default: self = .unknown
    }
  }

  /// Whether a message of this Content-Type is gRPC: `application/grpc`, alone or with `+` and the format of its
  /// messages. gRPC-Web has other names.
  public static func isGRPC(contentType: Bytes) -> Bool {
    let name = Bytes("application/grpc")
    if contentType.count < name.count || !contentType.slice(0, name.count).equalsIgnoringCase(name) { return false }
    if contentType.count == name.count { return true }
    let next = contentType[name.count]
    return next == 0x2b || next == 0x3b || next == 0x20
  }

  /// Writes a message as `grpc-message` wants it: percent-encoded, but for visible ASCII other than `%`.
  public static func encode(message: Bytes, into w: inout ByteWriter) {
    var i = 0
    while i < message.count {
      let c = message[i]
      i &+= 1
      if c >= 0x20 && c <= 0x7e && c != 0x25 {
        w.append(byte: c)
      } else {
        w.append(byte: 0x25)
        for digit in [c >> 4, c & 15] { w.append(byte: digit < 10 ? digit &+ 0x30 : digit &+ 0x37) }
      }
    }
  }
}
