/// One field line: offsets, not pointers, so that the bytes may move. 16 bytes, trivial.
@frozen
public struct HeaderField: Sendable {
  public var nameStart: UInt32
  public var valueStart: UInt32
  public var valueLength: UInt32
  public var nameLength: UInt16
  public var known: KnownHeader
  public var flags: Flags

  @frozen
  public struct Flags: OptionSet, Sendable {
    public let rawValue: UInt8
    @inlinable @inline(__always) public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// No longer part of the message.
    @inlinable public static var removed: Flags { Flags(rawValue: 1) }
    /// The bytes are in the table's arena and not in the received head.
    @inlinable public static var inArena: Flags { Flags(rawValue: 2) }
    /// The received line is not exactly `name: value CRLF`, so that it cannot be copied as it stands.
    @inlinable public static var irregular: Flags { Flags(rawValue: 4) }
  }

  @inlinable @inline(__always)
  public init(
    nameStart: Int, nameLength: Int, valueStart: Int, valueLength: Int, known: KnownHeader, flags: Flags
  ) {
    self.nameStart = UInt32(truncatingIfNeeded: nameStart)
    self.nameLength = UInt16(truncatingIfNeeded: nameLength)
    self.valueStart = UInt32(truncatingIfNeeded: valueStart)
    self.valueLength = UInt32(truncatingIfNeeded: valueLength)
    self.known = known
    self.flags = flags
  }
}

/// A piece of text in a head: in the received bytes or in the arena of its `HeaderTable`.
@frozen
public struct TextReference: Sendable {
  public var start: UInt32
  public var count: UInt32
  public var inArena: Bool

  @inlinable @inline(__always)
  public init(start: Int = 0, count: Int = 0, inArena: Bool = false) {
    self.start = UInt32(truncatingIfNeeded: start)
    self.count = UInt32(truncatingIfNeeded: count)
    self.inArena = inArena
  }
}
