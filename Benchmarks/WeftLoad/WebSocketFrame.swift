/// Frames and handshakes (RFC 6455) with one fixed key: RFC 6455 1.3's example, whose answer is known.
enum WebSocketFrame {
  static let handshake =
    "GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
  static let acceptance =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

  /// A text message of one frame. Its mask is zero, which changes nothing, and is one all the same.
  static func text(size: Int, masked: Bool) -> [UInt8] {
    let bit: UInt8 = masked ? 0x80 : 0
    var frame: [UInt8] = [0x81]
    if size < 126 {
      frame.append(bit | UInt8(size))
    } else {
      frame += [bit | 126, UInt8(size >> 8 & 0xff), UInt8(size & 0xff)]
    }
    if masked { frame += [0, 0, 0, 0] }
    return frame + [UInt8](repeating: UInt8(ascii: "x"), count: size)
  }

  /// The length of the frame at the start of `bytes`, and of its head; nil when more are needed.
  static func length(_ bytes: [UInt8]) -> (head: Int, all: Int)? {
    guard bytes.count >= 2 else { return nil }
    let mask = bytes[1] & 0x80 != 0 ? 4 : 0
    let short = Int(bytes[1] & 0x7f)
    if short < 126 { return bytes.count >= 2 + mask + short ? (2 + mask, 2 + mask + short) : nil }
    guard short == 126, bytes.count >= 4 else { return nil }
    let size = Int(bytes[2]) << 8 | Int(bytes[3])
    return bytes.count >= 4 + mask + size ? (4 + mask, 4 + mask + size) : nil
  }
}
