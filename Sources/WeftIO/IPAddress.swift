import Glibc

/// An IPv4 or IPv6 address. Trivial, so that it can be copied and compared on the data path.
///
/// An IPv4 address and its IPv4-mapped IPv6 form (RFC 4291 2.5.5.2), which is how a dual-stack listener sees IPv4
/// clients, are one and the same value: `::ffff:10.0.0.1` prints as `10.0.0.1` and matches `10.0.0.0/8`.
@frozen
public struct IPAddress: Hashable, Sendable {
  /// The address as a 128-bit number, upper half; IPv4 in its mapped form.
  public let high: UInt64
  /// The lower half.
  public let low: UInt64
  /// Index of the interface that a link-local IPv6 address belongs to; 0 for none.
  public let scope: UInt32

  /// The longest text, with a numeric scope, in bytes.
  public static let maximumTextLength = 57

  @inlinable
  public init(high: UInt64, low: UInt64, scope: UInt32 = 0) {
    self.high = high
    self.low = low
    self.scope = scope
  }

  /// - Parameter v4: the address as a number, `0x7f00_0001` being 127.0.0.1.
  @inlinable
  public init(v4: UInt32) { self.init(high: 0, low: 0xffff_0000_0000 | UInt64(v4)) }

  /// Reads `10.0.0.1`, `2001:db8::1`, `fe80::1%eth0` or `fe80::1%2`, without brackets. IPv4 only as four decimal
  /// numbers. Allocates nothing.
  public init?(_ text: Bytes) {
    // 45 bytes of address, `%` and an interface name of 15.
    if text.isEmpty || text.count > 61 || text.firstIndex(of: 0) != nil { return nil }
    let percent = text.firstIndex(of: 0x25)
    let address = text.slice(0, percent ?? text.count)
    let parsed: IPAddress? = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let c = buffer.baseAddress else { return nil }
      memcpy(c, address.base, address.count)
      c[address.count] = 0
      if address.firstIndex(of: 0x3a) == nil {
        var v4 = in_addr()
        if percent != nil || inet_pton(AF_INET, c, &v4) != 1 { return nil }
        return IPAddress(v4: UInt32(bigEndian: v4.s_addr))
      }
      var v6 = in6_addr()
      if inet_pton(AF_INET6, c, &v6) != 1 { return nil }
      guard let percent else { return IPAddress(v6) }
      let zone = text.slice(percent + 1, text.count)
      if zone.isEmpty { return nil }
      memcpy(c, zone.base, zone.count)
      c[zone.count] = 0
      let index = zone.decimal.map { UInt32(clamping: $0) } ?? if_nametoindex(c)
      return index == 0 ? nil : IPAddress(v6, scope: index)
    }
    guard let parsed else { return nil }
    self = parsed
  }

  public init?(_ text: String) {
    var text = text
    let parsed: IPAddress? = text.withUTF8 { utf8 in
      guard let base = utf8.baseAddress else { return nil }
      return IPAddress(Bytes(base, utf8.count))
    }
    guard let parsed else { return nil }
    self = parsed
  }

  init(_ v6: in6_addr, scope: UInt32 = 0) {
    self = withUnsafeBytes(of: v6) { raw in
      IPAddress(
        high: UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
        low: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)), scope: scope)
    }
  }

  /// All interfaces, both families: `::`.
  public static let any = IPAddress(high: 0, low: 0)
  /// All IPv4 interfaces: `0.0.0.0`.
  public static let anyV4 = IPAddress(v4: 0)
  /// `127.0.0.1`.
  public static let loopbackV4 = IPAddress(v4: 0x7f00_0001)
  /// `::1`.
  public static let loopbackV6 = IPAddress(high: 0, low: 1)

  @inlinable public var isV4: Bool { high == 0 && low &>> 32 == 0xffff }
  /// The IPv4 address as a number; meaningless unless `isV4`.
  @inlinable public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }
  /// `::` or `0.0.0.0`: not an address to connect to.
  @inlinable public var isUnspecified: Bool { high == 0 && (low == 0 || low == 0xffff_0000_0000) }
  /// 127.0.0.0/8 or `::1`.
  @inlinable public var isLoopback: Bool { isV4 ? v4 &>> 24 == 127 : high == 0 && low == 1 }
  /// 169.254.0.0/16 or fe80::/10.
  @inlinable public var isLinkLocal: Bool { isV4 ? v4 &>> 16 == 0xa9fe : high &>> 54 == 0x3fa }

  /// Writes the text, IPv6 in the form of RFC 5952 and without brackets. Allocates nothing.
  public func append(to writer: inout ByteWriter) {
    if isV4 {
      writer.append(decimal: UInt64(v4 &>> 24))
      writer.append(byte: 0x2e)
      writer.append(decimal: UInt64(v4 &>> 16 & 255))
      writer.append(byte: 0x2e)
      writer.append(decimal: UInt64(v4 &>> 8 & 255))
      writer.append(byte: 0x2e)
      writer.append(decimal: UInt64(v4 & 255))
      return
    }
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 48) { buffer in
      var address = in6
      guard let c = buffer.baseAddress, inet_ntop(AF_INET6, &address, c, 48) != nil else { return }
      c.withMemoryRebound(to: UInt8.self, capacity: 48) { writer.append(BytePointer($0), strlen(c)) }
    }
    if scope != 0 {
      writer.append(byte: 0x25)
      writer.append(decimal: UInt64(scope))
    }
  }

  var in6: in6_addr {
    var v6 = in6_addr()
    withUnsafeMutableBytes(of: &v6) { raw in
      raw.storeBytes(of: high.bigEndian, as: UInt64.self)
      raw.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return v6
  }
}

extension IPAddress: CustomStringConvertible {
  public var description: String {
    String(unsafeUninitializedCapacity: Self.maximumTextLength) { buffer in
      guard let base = buffer.baseAddress else { return 0 }
      var writer = ByteWriter(base, buffer.count)
      append(to: &writer)
      return writer.count
    }
  }
}
