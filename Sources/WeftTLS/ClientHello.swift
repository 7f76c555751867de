import WeftIO

/// What the first bytes of a client say, read without decrypting anything (RFC 8446 4.1.2): for passing connections on
/// by their server name. Strict: a hello that is not well formed is not passed on.
public struct ClientHello: Sendable, Equatable {
  /// As sent, without a closing dot check; at most 255 bytes of visible ASCII. nil: the client gave none.
  public var serverName: String?
  /// Application protocols (RFC 7301), in the client's order.
  public var protocols: [String] = []

  public enum Outcome: Sendable, Equatable {
    case complete(ClientHello)
    /// More bytes are needed.
    case incomplete
    /// No client of TLS begins like this.
    case malformed
  }

  /// Bytes that a hello may have, in all its records; more is malformed.
  public static let sizeLimit = 16 * 1024

  /// Reads the hello at the beginning of `bytes`.
  public static func parse(_ bytes: Bytes) -> Outcome {
    // A hello may be spread over several records (RFC 8446 5.1): their contents in one piece.
    var message: [UInt8] = []
    var at = 0
    while true {
      if bytes.count > at && bytes[at] != 22 { return .malformed }  // handshake
      if bytes.count > at + 1 && bytes[at + 1] != 3 { return .malformed }  // major version
      if bytes.count < at + 5 { return at >= sizeLimit ? .malformed : .incomplete }
      let length = Int(bytes[at + 3]) << 8 | Int(bytes[at + 4])
      if length == 0 || length > 16 * 1024 { return .malformed }
      let end = min(at + 5 + length, bytes.count)
      message.append(contentsOf: UnsafeBufferPointer(start: bytes.base + at + 5, count: end - at - 5))
      if message.count >= 1 && message[0] != 1 { return .malformed }  // client_hello
      if message.count >= 4 {
        let wanted = 4 + (Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3]))
        if wanted > sizeLimit { return .malformed }
        if message.count >= wanted {
          return message[4..<wanted].withUnsafeBufferPointer { body in
            read(body).map { .complete($0) } ?? .malformed
          }
        }
      }
      if end < at + 5 + length { return .incomplete }
      at = end
    }
  }

  private static func read(_ body: UnsafeBufferPointer<UInt8>) -> ClientHello? {
    var r = Cursor(body)
    guard r.skip(2 + 32), r.block(1, 0...32) != nil, let suites = r.block(2, 2...65_534), suites.count % 2 == 0,
      r.block(1, 1...255) != nil
    else { return nil }
    var hello = ClientHello()
    // A hello without extensions ends here (TLS 1.2).
    if r.isAtEnd { return hello }
    guard var extensions = r.block(2, 0...65_535).map({ Cursor($0) }), r.isAtEnd else { return nil }
    var sawName = false
    var sawProtocols = false
    while !extensions.isAtEnd {
      guard let type = extensions.number(2), let content = extensions.block(2, 0...65_535) else { return nil }
      switch type {
      case 0:
        guard !sawName, let name = serverName(content) else { return nil }
        sawName = true
        hello.serverName = name
      case 16:
        guard !sawProtocols, let list = protocols(content) else { return nil }
        sawProtocols = true
        hello.protocols = list
      default: break
      }
    }
    return hello
  }

  /// The host name in a server_name extension (RFC 6066 section 3).
  static func serverName(_ content: UnsafeBufferPointer<UInt8>) -> String? {
    var r = Cursor(content)
    guard let list = r.block(2, 1...65_535), r.isAtEnd else { return nil }
    var names = Cursor(list)
    // One name, of the only type that there is.
    guard names.number(1) == 0, let name = names.block(2, 1...255), names.isAtEnd,
      name.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return nil }
    return String(decoding: name, as: UTF8.self)
  }

  private static func protocols(_ content: UnsafeBufferPointer<UInt8>) -> [String]? {
    var r = Cursor(content)
    guard let list = r.block(2, 2...65_535), r.isAtEnd else { return nil }
    var names = Cursor(list)
    var found: [String] = []
    while !names.isAtEnd {
      guard let name = names.block(1, 1...255) else { return nil }
      found.append(String(decoding: name, as: UTF8.self))
    }
    return found
  }

  /// Reads numbers and length-prefixed blocks; nil beyond the end.
  private struct Cursor {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { at == bytes.count }

    mutating func skip(_ count: Int) -> Bool {
      if bytes.count - at < count { return false }
      at += count
      return true
    }

    mutating func number(_ width: Int) -> Int? {
      if bytes.count - at < width { return nil }
      var value = 0
      for _ in 0..<width {
        value = value << 8 | Int(bytes[at])
        at += 1
      }
      return value
    }

    mutating func block(_ width: Int, _ lengths: ClosedRange<Int>) -> UnsafeBufferPointer<UInt8>? {
      guard let length = number(width), lengths.contains(length), bytes.count - at >= length else { return nil }
      let start = at
      at += length
      return UnsafeBufferPointer(rebasing: bytes[start..<at])
    }
  }
}
