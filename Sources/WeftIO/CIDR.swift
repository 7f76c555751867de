/// A range of addresses: a network and the length of its prefix (RFC 4632, RFC 4291 2.3).
///
/// A range is of one family: `::/0` holds no IPv4 address, `0.0.0.0/0` no IPv6 address.
@frozen
public struct CIDR: Hashable, Sendable {
  /// The lowest address of the range.
  public let network: IPAddress
  /// Bits of the prefix, counted within the address's own family: 0 to 32, or 0 to 128.
  public let prefixLength: UInt8
  @usableFromInline let highMask: UInt64
  @usableFromInline let lowMask: UInt64

  /// Bits of `address` beyond the prefix are cleared; nil when the prefix is longer than the family allows.
  public init?(_ address: IPAddress, prefixLength: Int) {
    let isV4 = address.isV4
    if prefixLength < 0 || prefixLength > (isV4 ? 32 : 128) { return nil }
    let bits = isV4 ? prefixLength + 96 : prefixLength
    highMask = bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits))
    lowMask = bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
    network = IPAddress(high: address.high & highMask, low: address.low & lowMask)
    self.prefixLength = UInt8(truncatingIfNeeded: prefixLength)
  }

  /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a range of one.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = IPAddress(String(first)), address.scope == 0 else { return nil }
    var length = address.isV4 ? 32 : 128
    if parts.count == 2 {
      let digits = parts[1].utf8
      guard digits.count <= 3, digits.allSatisfy({ $0 &- 0x30 < 10 }), let given = Int(parts[1]) else { return nil }
      // An IPv4-mapped network counts its prefix in 128 bits.
      length = address.isV4 && first.utf8.contains(0x3a) ? given - 96 : given
    }
    self.init(address, prefixLength: length)
  }

  @inlinable
  public func contains(_ address: IPAddress) -> Bool {
    address.high & highMask == network.high && address.low & lowMask == network.low && address.isV4 == network.isV4
  }
}

extension CIDR: CustomStringConvertible {
  public var description: String { "\(network)/\(prefixLength)" }
}
