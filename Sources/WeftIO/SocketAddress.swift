import Glibc

/// Where a socket listens or connects to: an IP address and port, or a Unix domain socket. Trivial, 24 bytes.
@frozen
public struct SocketAddress: Hashable, Sendable {
  @frozen
  public enum Family: UInt8, Sendable {
    /// No address is known: `SocketAddress()`, or an unnamed Unix peer's.
    case none, ip, unix
  }

  /// The IP address; for a Unix socket, `high` is where the interned path lies.
  @usableFromInline let raw: IPAddress
  /// 0 for a Unix socket.
  public let port: UInt16
  public let family: Family

  /// The longest text of an address with its port, in bytes; a Unix path may be 108 bytes and its prefix 5.
  public static let maximumTextLength = 120

  /// No address.
  @inlinable
  public init() {
    raw = IPAddress(high: 0, low: 0)
    port = 0
    family = .none
  }

  @inlinable
  public init(_ ip: IPAddress, port: UInt16) {
    raw = ip
    self.port = port
    family = .ip
  }

  /// A Unix domain socket.
  /// - Parameter path: a path of 1 to 107 bytes, or `@name` for an abstract name (unix(7)).
  /// - Returns: nil when the path is empty, too long or holds a NUL.
  public init?(unixPath path: String) {
    guard let place = UnixPaths.intern(path) else { return nil }
    raw = IPAddress(high: UInt64(UInt(bitPattern: place)), low: 0)
    port = 0
    family = .unix
  }

  /// Reads `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`, `:80` (all interfaces, IPv6 and IPv4), `unix:/run/a.sock`
  /// or `unix:@name`. Nil for anything else, a host name among them.
  public init?(_ text: String) {
    if text.utf8.starts(with: "unix:".utf8) {
      self.init(unixPath: String(text.dropFirst(5)))
      return
    }
    var text = text
    let parsed: SocketAddress? = text.withUTF8 { utf8 in
      guard let base = utf8.baseAddress else { return nil }
      return SocketAddress(ip: Bytes(base, utf8.count), defaultPort: nil)
    }
    guard let parsed else { return nil }
    self = parsed
  }

  /// Reads the IP forms of `init(_:)` from borrowed bytes, for header fields. Allocates nothing.
  /// - Parameter defaultPort: the port where the text has none; nil: the text must have one.
  public init?(ip text: Bytes, defaultPort: UInt16?) {
    var host = text
    var digits: Bytes?
    if text.count > 0 && text[0] == 0x5b {
      guard let end = text.firstIndex(of: 0x5d) else { return nil }
      host = text.slice(1, end)
      if host.firstIndex(of: 0x3a) == nil { return nil }
      if end + 1 < text.count {
        if text[end + 1] != 0x3a { return nil }
        digits = text.slice(end + 2, text.count)
      }
    } else if let colon = text.firstIndex(of: 0x3a), text.firstIndex(of: 0x3a, from: colon + 1) == nil {
      host = text.slice(0, colon)
      digits = text.slice(colon + 1, text.count)
    } else if defaultPort == nil {
      return nil
    }
    var port = defaultPort
    if let digits {
      guard digits.count <= 5, let value = digits.decimal, let given = UInt16(exactly: value) else { return nil }
      port = given
    }
    guard let port else { return nil }
    if host.isEmpty && digits != nil {
      self.init(.any, port: port)
      return
    }
    guard let ip = IPAddress(host) else { return nil }
    self.init(ip, port: port)
  }

  /// The IP address, or nil for a Unix socket or none.
  @inlinable public var ip: IPAddress? { family == .ip ? raw : nil }

  /// The path of a Unix socket, `@name` for an abstract one; nil for others.
  public var unixPath: String? { family == .unix ? unixBytes.string : nil }

  /// The same address with another port.
  @inlinable public func withPort(_ port: UInt16) -> SocketAddress { ip.map { SocketAddress($0, port: port) } ?? self }

  /// Writes the IP address alone; for a Unix socket its path, for no address nothing. Allocates nothing.
  public func appendIP(to writer: inout ByteWriter) {
    switch family {
    case .none: break
    case .ip: raw.append(to: &writer)
    case .unix: writer.append(unixBytes)
    }
  }

  /// Writes the text that `init(_:)` reads; for no address nothing. Allocates nothing.
  public func append(to writer: inout ByteWriter) {
    switch family {
    case .none: break
    case .ip:
      if raw.isV4 {
        raw.append(to: &writer)
      } else {
        writer.append(byte: 0x5b)
        raw.append(to: &writer)
        writer.append(byte: 0x5d)
      }
      writer.append(byte: 0x3a)
      writer.append(decimal: UInt64(port))
    case .unix:
      writer.append("unix:" as StaticString)
      writer.append(unixBytes)
    }
  }

  private var unixBytes: Bytes {
    guard let place = UnsafePointer<UInt8>(bitPattern: UInt(truncatingIfNeeded: raw.high)) else { return Bytes() }
    return Bytes(place + 1, Int(place[0]))
  }
}

extension SocketAddress: CustomStringConvertible {
  public var description: String {
    String(unsafeUninitializedCapacity: Self.maximumTextLength) { buffer in
      guard let base = buffer.baseAddress else { return 0 }
      var writer = ByteWriter(base, buffer.count)
      append(to: &writer)
      return writer.count
    }
  }
}

extension SocketAddress {
  /// Calls `body` with the kernel's form of the address. A `none` address has the length 0.
  public func withSockaddr<Result, Failure: Error>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var storage = sockaddr_storage()
    let length = encode(into: &storage)
    // A typed rethrow does not pass through the standard library's pointer helpers.
    let outcome: Swift.Result<Result, Failure> = withUnsafePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        do throws(Failure) {
          return .success(try body(address, length))
        } catch {
          return .failure(error)
        }
      }
    }
    return try outcome.get()
  }

  /// Reads what the kernel wrote; anything but IP and a named Unix socket becomes `none`.
  public init(_ storage: sockaddr_storage, length: socklen_t) {
    self = withUnsafeBytes(of: storage) { raw in
      switch Int32(storage.ss_family) {
      case AF_INET where Int(length) >= MemoryLayout<sockaddr_in>.size:
        let v4 = raw.load(as: sockaddr_in.self)
        return SocketAddress(
          IPAddress(v4: UInt32(bigEndian: v4.sin_addr.s_addr)), port: UInt16(bigEndian: v4.sin_port))
      case AF_INET6 where Int(length) >= MemoryLayout<sockaddr_in6>.size:
        let v6 = raw.load(as: sockaddr_in6.self)
        return SocketAddress(IPAddress(v6.sin6_addr, scope: v6.sin6_scope_id), port: UInt16(bigEndian: v6.sin6_port))
      case AF_UNIX where length > 2 && Int(length) <= MemoryLayout<sockaddr_un>.size:
        let isAbstract = raw[2] == 0
        var path = raw[(isAbstract ? 3 : 2)..<Int(length)]
        if !isAbstract, let end = path.firstIndex(of: 0) { path = path[..<end] }
        let text = String(decoding: path, as: UTF8.self)
        return SocketAddress(unixPath: isAbstract ? "@" + text : text) ?? SocketAddress()
      default:
        return SocketAddress()
      }
    }
  }

  /// The address family for `socket(2)`.
  var domain: Int32 {
    switch family {
    case .none: return AF_UNSPEC
    case .ip: return raw.isV4 ? AF_INET : AF_INET6
    case .unix: return AF_UNIX
    }
  }

  private func encode(into storage: inout sockaddr_storage) -> socklen_t {
    withUnsafeMutableBytes(of: &storage) { out in
      switch family {
      case .none:
        return 0
      case .ip where raw.isV4:
        var v4 = sockaddr_in()
        v4.sin_family = sa_family_t(AF_INET)
        v4.sin_port = port.bigEndian
        v4.sin_addr.s_addr = raw.v4.bigEndian
        out.storeBytes(of: v4, as: sockaddr_in.self)
        return socklen_t(MemoryLayout<sockaddr_in>.size)
      case .ip:
        var v6 = sockaddr_in6()
        v6.sin6_family = sa_family_t(AF_INET6)
        v6.sin6_port = port.bigEndian
        v6.sin6_addr = raw.in6
        v6.sin6_scope_id = raw.scope
        out.storeBytes(of: v6, as: sockaddr_in6.self)
        return socklen_t(MemoryLayout<sockaddr_in6>.size)
      case .unix:
        out.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
        let path = unixBytes
        let isAbstract = path[0] == 0x40
        for i in 0..<path.count { out[2 + i] = path[i] }
        if isAbstract { out[2] = 0 }
        // An abstract name is exactly as long as its length says; a path ends with a NUL.
        return socklen_t(2 + path.count + (isAbstract ? 0 : 1))
      }
    }
  }
}

/// Paths of Unix sockets, kept for the life of the process so that an address stays trivial: one length byte, then the
/// path. They come from configuration; the limit bounds what a peer that binds ever new names could make us keep.
private enum UnixPaths {
  static let limit = 65_536
  static let paths = Locked<[String: UInt]>([:])

  static func intern(_ path: String) -> UnsafePointer<UInt8>? {
    let utf8 = Array(path.utf8)
    if utf8.isEmpty || utf8.count > 107 || utf8.contains(0) || utf8 == [0x40] { return nil }
    let bits: UInt = paths.withLock { known in
      if let place = known[path] { return place }
      if known.count >= limit { return 0 }
      let place = MutableBytePointer.allocate(capacity: utf8.count + 1)
      place[0] = UInt8(truncatingIfNeeded: utf8.count)
      for i in 0..<utf8.count { place[1 + i] = utf8[i] }
      known[path] = UInt(bitPattern: place)
      return UInt(bitPattern: place)
    }
    return UnsafePointer<UInt8>(bitPattern: bits)
  }
}
