import WeftCrypto
import WeftFilter
import WeftHTTP
import WeftIO

/// What the opening handshake of WebSocket has over HTTP/1.1 and not over HTTP/2 (RFC 6455 4, RFC 8441 5): a key, and
/// the proof that its receiver speaks WebSocket.
enum WebSocketHandshake {
  static let key = HeaderName("sec-websocket-key")
  static let accept = HeaderName("sec-websocket-accept")

  private static let keyLength = 16
  /// RFC 6455 1.3.
  private static let identifier: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
  /// Longer keys are no base64 of 16 bytes.
  private static let textLimit = 64

  /// Writes a fresh key.
  /// - Returns: false without random bytes.
  static func writeKey(into w: inout ByteWriter) -> Bool {
    guard let bytes = try? RandomBytes.make(keyLength) else { return false }
    bytes.withUnsafeBufferPointer { writeBase64($0, into: &w) }
    return true
  }

  /// Writes what Sec-WebSocket-Accept must say to `key`.
  /// - Returns: false for a key that is none.
  static func writeAccept(_ key: Bytes, into w: inout ByteWriter) -> Bool {
    if key.isEmpty || key.count > textLimit { return false }
    return withUnsafeTemporaryAllocation(byteCount: Digest.Algorithm.sha1.length, alignment: 1) { output in
      do throws(CryptoError) {
        let digest = try Digest(.sha1)
        try digest.update(UnsafeRawBufferPointer(start: key.base, count: key.count))
        let id = Bytes(identifier)
        try digest.update(UnsafeRawBufferPointer(start: id.base, count: id.count))
        let n = try digest.finish(into: output)
        writeBase64(UnsafeBufferPointer(rebasing: output.bindMemory(to: UInt8.self)[..<n]), into: &w)
        return true
      } catch { return false }
    }
  }

  /// Whether `accept` proves that `key` was understood.
  static func proves(_ accept: Bytes?, _ key: Bytes?) -> Bool {
    guard let accept, let key else { return false }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: textLimit) { memory in
      guard let base = memory.baseAddress else { return false }
      var w = ByteWriter(base, textLimit)
      return writeAccept(key, into: &w) && !w.overflow && w.bytes == accept
    }
  }

  private static func writeBase64(_ bytes: UnsafeBufferPointer<UInt8>, into w: inout ByteWriter) {
    let alphabet = Bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var i = 0
    while i < bytes.count {
      let left = bytes.count &- i
      let group =
        Int(bytes[i]) << 16 | (left > 1 ? Int(bytes[i &+ 1]) << 8 : 0) | (left > 2 ? Int(bytes[i &+ 2]) : 0)
      w.append(byte: alphabet[group >> 18 & 63])
      w.append(byte: alphabet[group >> 12 & 63])
      w.append(byte: left > 1 ? alphabet[group >> 6 & 63] : 0x3d)
      w.append(byte: left > 2 ? alphabet[group & 63] : 0x3d)
      i &+= 3
    }
  }
}

extension Worker {
  /// A request that switches to WebSocket: over HTTP/2 an extended CONNECT. Other protocols have no name there that both
  /// sides could be sure of, and an Upgrade to them is ignored, as a server may.
  func wantsTunnel(_ x: ExchangeRef) -> Bool {
    let s = x.pointee.state
    return s.pointee.request.upgrade && x.pointee.requestDone && x.pointee.requestMode == .none
      && s.pointee.request.headers.text(s.pointee.request.upgradeProtocol).equalsIgnoringCase(Bytes("websocket"))
  }

  /// Gives a request that came over HTTP/2 the field that it would have over HTTP/1.1.
  func addWebSocketKey(_ s: UnsafeMutablePointer<ExchangeState>) {
    s.pointee.request.headers.remove(WebSocketHandshake.key)
    var w = ByteWriter(scratch, Self.scratchSize)
    if WebSocketHandshake.writeKey(into: &w) { s.pointee.request.headers.add(WebSocketHandshake.key, w.bytes) }
  }
}
