import WeftIO

/// What a proxy in front says about a connection before its first byte: the PROXY protocol, versions 1 and 2, as HAProxy's
/// `proxy-protocol.txt` defines it.
public struct ProxyProtocolHeader: Sendable, Equatable {
  public enum Version: String, Sendable, CaseIterable { case v1, v2 }

  /// Who connected to the sender, and to which of its addresses. nil: the sender does not say (UNKNOWN, UNSPEC, datagrams,
  /// Unix sockets), or speaks for itself (LOCAL), so that the connection's own addresses stand.
  public var addresses: Addresses?
  public var version: Version

  public init(addresses: Addresses?, version: Version) {
    self.addresses = addresses
    self.version = version
  }

  public struct Addresses: Sendable, Equatable {
    public var source: SocketAddress
    public var destination: SocketAddress

    public init(source: SocketAddress, destination: SocketAddress) {
      self.source = source
      self.destination = destination
    }
  }

  /// What is wrong with a header that has begun as one.
  public enum Fault: String, Sendable, CaseIterable {
    /// Version 1: no end of line within 107 bytes. Version 2: longer than `sizeLimit`.
    case tooLong = "it is too long"
    /// Version 1: not the fields that belong there, with one space between them.
    case line = "its line is not well formed"
    /// An address is not of the family given.
    case address = "an address is not well formed"
    /// Not a number from 0 to 65535 without leading zeros.
    case port = "a port is not well formed"
    /// Version 2: the version's number is another one.
    case version = "its version is neither 1 nor 2"
    /// Version 2: neither LOCAL nor PROXY.
    case command = "its command is unknown"
    /// Version 2: family and transport are none that are defined.
    case family = "its address family is unknown"
    /// Version 2: shorter than the addresses of its family.
    case length = "it is shorter than its addresses"
    /// Version 2: what follows the addresses is cut short.
    case extensions = "its extensions are cut short"
  }

  public enum Outcome: Sendable, Equatable {
    /// - Parameter length: bytes that the header takes.
    case complete(ProxyProtocolHeader, length: Int)
    /// More bytes are needed.
    case incomplete
    /// The bytes are no such header's.
    case absent
    case malformed(Fault)
  }

  /// The longest header that is read, in bytes: of version 2, with its extensions.
  public static let sizeLimit = 4096
  /// The longest line of version 1 with its end.
  public static let lineLimit = 107
  /// The longest header that is written.
  public static let maximumWrittenLength = 128

  static let signature: StaticString = "\r\n\r\n\0\r\nQUIT\n"
  private static let opening: StaticString = "PROXY "

  /// Reads the header at the beginning of `bytes`. Allocates nothing.
  public static func parse(_ bytes: Bytes) -> Outcome {
    let signature = Bytes(Self.signature)
    let opening = Bytes(Self.opening)
    if bytes.count >= signature.count {
      if bytes.hasPrefix(signature) { return parseBinary(bytes) }
    } else if signature.hasPrefix(bytes) {
      return .incomplete
    }
    if bytes.count >= opening.count { return bytes.hasPrefix(opening) ? parseLine(bytes) : .absent }
    return opening.hasPrefix(bytes) ? .incomplete : .absent
  }

  // MARK: Version 1

  private static func parseLine(_ bytes: Bytes) -> Outcome {
    guard let end = bytes.slice(0, lineLimit).firstIndex(of: 0x0a) else {
      return bytes.count >= lineLimit ? .malformed(.tooLong) : .incomplete
    }
    if bytes[end - 1] != 0x0d { return .malformed(.line) }
    let line = bytes.slice(opening.utf8CodeUnitCount, end - 1)
    var rest = line
    let family = field(&rest)
    var header = ProxyProtocolHeader(addresses: nil, version: .v1)
    // What follows UNKNOWN is to be skipped, whatever it is.
    if family == Bytes("UNKNOWN") { return .complete(header, length: end + 1) }
    let isV6 = family == Bytes("TCP6")
    if !isV6 && !(family == Bytes("TCP4")) { return .malformed(.line) }
    let (source, destination, sourcePort, destinationPort) = (
      field(&rest), field(&rest), field(&rest), field(&rest)
    )
    if !rest.isEmpty || spaces(line) != 4 { return .malformed(.line) }
    guard let from = address(source, isV6: isV6), let to = address(destination, isV6: isV6) else {
      return .malformed(.address)
    }
    guard let fromPort = port(sourcePort), let toPort = port(destinationPort) else { return .malformed(.port) }
    header.addresses = Addresses(
      source: SocketAddress(from, port: fromPort), destination: SocketAddress(to, port: toPort))
    return .complete(header, length: end + 1)
  }

  /// What stands before the next space, which is taken off as well.
  private static func field(_ rest: inout Bytes) -> Bytes {
    let end = rest.firstIndex(of: 0x20) ?? rest.count
    let field = rest.slice(0, end)
    rest = rest.slice(end + 1, rest.count)
    return field
  }

  private static func spaces(_ line: Bytes) -> Int {
    var n = 0
    for i in 0..<line.count where line[i] == 0x20 { n &+= 1 }
    return n
  }

  private static func address(_ text: Bytes, isV6: Bool) -> IPAddress? {
    if (text.firstIndex(of: 0x3a) != nil) != isV6 || text.firstIndex(of: 0x25) != nil { return nil }
    return IPAddress(text)
  }

  private static func port(_ text: Bytes) -> UInt16? {
    if text.count > 5 || text.count > 1 && text[0] == 0x30 { return nil }
    return text.decimal.flatMap { UInt16(exactly: $0) }
  }

  // MARK: Version 2

  private static func parseBinary(_ bytes: Bytes) -> Outcome {
    if bytes.count > 12 {
      if bytes[12] &>> 4 != 2 { return .malformed(.version) }
      if bytes[12] & 15 > 1 { return .malformed(.command) }
    }
    if bytes.count < 16 { return .incomplete }
    let isLocal = bytes[12] & 15 == 0
    let length = 16 + number(bytes, 14)
    if length > sizeLimit { return .malformed(.tooLong) }
    let size: Int
    switch bytes[13] {
    case 0x00: size = 0  // unspecified
    case 0x11, 0x12: size = 12  // IPv4; stream, datagram
    case 0x21, 0x22: size = 36  // IPv6
    case 0x31, 0x32: size = 216  // Unix
    case _ where isLocal: size = 0
    default: return .malformed(.family)
    }
    if !isLocal && length < 16 + size { return .malformed(.length) }
    if bytes.count < length { return .incomplete }
    var header = ProxyProtocolHeader(addresses: nil, version: .v2)
    // Of LOCAL, all that follows is to be skipped.
    if isLocal { return .complete(header, length: length) }
    // An unspecified family's block is opaque.
    if size > 0 && !areExtensions(bytes.slice(16 + size, length)) { return .malformed(.extensions) }
    switch bytes[13] {
    case 0x11:
      header.addresses = Addresses(
        source: SocketAddress(v4(bytes, 16), port: UInt16(truncatingIfNeeded: number(bytes, 24))),
        destination: SocketAddress(v4(bytes, 20), port: UInt16(truncatingIfNeeded: number(bytes, 26))))
    case 0x21:
      header.addresses = Addresses(
        source: SocketAddress(v6(bytes, 16), port: UInt16(truncatingIfNeeded: number(bytes, 48))),
        destination: SocketAddress(v6(bytes, 32), port: UInt16(truncatingIfNeeded: number(bytes, 50))))
    default: break
    }
    return .complete(header, length: length)
  }

  /// Whether they are whole: each a type of one byte, a length of two, and so many bytes.
  private static func areExtensions(_ bytes: Bytes) -> Bool {
    var at = 0
    while at < bytes.count {
      if bytes.count - at < 3 { return false }
      at += 3 + number(bytes, at + 1)
    }
    return at == bytes.count
  }

  private static func number(_ bytes: Bytes, _ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }

  private static func v4(_ bytes: Bytes, _ at: Int) -> IPAddress {
    IPAddress(v4: UInt32(truncatingIfNeeded: number(bytes, at) << 16 | number(bytes, at + 2)))
  }

  private static func v6(_ bytes: Bytes, _ at: Int) -> IPAddress {
    func half(_ from: Int) -> UInt64 {
      var value: UInt64 = 0
      for i in from..<from + 8 { value = value &<< 8 | UInt64(bytes[i]) }
      return value
    }
    return IPAddress(high: half(at), low: half(at + 8))
  }
}

extension ProxyProtocolHeader {
  /// Writes a header. Allocates nothing.
  /// - Parameters:
  ///   - source: the client. With no IP address it is said that it is unknown.
  ///   - destination: where the client connected to.
  public static func write(
    _ version: Version, source: SocketAddress, destination: SocketAddress, into w: inout ByteWriter
  ) {
    guard let from = source.ip, let to = destination.ip else {
      if version == .v1 { return w.append("PROXY UNKNOWN\r\n") }
      w.append(signature)
      return writePrefix(0x21, family: 0x00, length: 0, &w)
    }
    let isV4 = from.isV4 && to.isV4
    if version == .v2 {
      w.append(signature)
      writePrefix(0x21, family: isV4 ? 0x11 : 0x21, length: isV4 ? 12 : 36, &w)
      writeBinary(from, isV4: isV4, &w)
      writeBinary(to, isV4: isV4, &w)
      append(source.port, &w)
      append(destination.port, &w)
      return
    }
    w.append(isV4 ? "PROXY TCP4 " : "PROXY TCP6 ")
    writeText(from, isV4: isV4, &w)
    w.append(byte: 0x20)
    writeText(to, isV4: isV4, &w)
    w.append(byte: 0x20)
    w.append(decimal: UInt64(source.port))
    w.append(byte: 0x20)
    w.append(decimal: UInt64(destination.port))
    w.append("\r\n")
  }

  /// Writes the header of a connection that the proxy opens for itself, such as a health check's.
  public static func writeLocal(_ version: Version, into w: inout ByteWriter) {
    if version == .v1 { return w.append("PROXY UNKNOWN\r\n") }
    w.append(signature)
    writePrefix(0x20, family: 0x00, length: 0, &w)
  }

  private static func writePrefix(_ command: UInt8, family: UInt8, length: UInt16, _ w: inout ByteWriter) {
    w.append(byte: command)
    w.append(byte: family)
    append(length, &w)
  }

  private static func append(_ number: UInt16, _ w: inout ByteWriter) {
    w.append(byte: UInt8(truncatingIfNeeded: number &>> 8))
    w.append(byte: UInt8(truncatingIfNeeded: number))
  }

  private static func writeBinary(_ ip: IPAddress, isV4: Bool, _ w: inout ByteWriter) {
    if !isV4 { writeBinary(ip.high, count: 8, &w) }
    writeBinary(ip.low, count: isV4 ? 4 : 8, &w)
  }

  /// The lowest bytes of `number`, the highest of them first.
  private static func writeBinary(_ number: UInt64, count: UInt64, _ w: inout ByteWriter) {
    var left = count
    while left > 0 {
      left &-= 1
      w.append(byte: UInt8(truncatingIfNeeded: number &>> (8 &* left)))
    }
  }

  /// Without an interface, which means nothing elsewhere; IPv4 beside IPv6 in its mapped form.
  private static func writeText(_ ip: IPAddress, isV4: Bool, _ w: inout ByteWriter) {
    if !isV4 && ip.isV4 { w.append("::ffff:") }
    IPAddress(high: ip.high, low: ip.low).append(to: &w)
  }
}
