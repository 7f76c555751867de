import CLinux
import Glibc
import WeftIO

/// The fields of one message: an index over the received head, plus an arena for what was added.
///
/// The received bytes stay where they are (the connection's buffer) and unchanged lines are later copied as they stand;
/// `keepWire` copies them into memory of the table's own, for an owner that must reuse the buffer. `Bytes` handed out
/// are valid until the table is changed or its exchange ends.
public struct HeaderTable: ~Copyable {
  /// Fields that one message may have, those added by filters included.
  public static let fieldLimit = 256
  /// Bytes that filters may add to one head.
  public static let arenaLimit = 128 * 1024
  /// Rows that a table begins with; it grows as it must, and keeps what it grew to.
  @usableFromInline static var initialRoom: Int { 24 }

  @usableFromInline var fields: UnsafeMutablePointer<HeaderField>
  @usableFromInline var room = HeaderTable.initialRoom
  @usableFromInline var fieldCount = 0
  @usableFromInline var wireBase: BytePointer
  @usableFromInline var arena = Arena(capacity: 512, limit: HeaderTable.arenaLimit)
  @usableFromInline var kept: MutableBytePointer?
  /// What is, or was, in the table: bit k for the `KnownHeader` of that number, bit 32 + n for a name whose length ends
  /// in the bits n.
  @usableFromInline var seen: UInt64 = 0
  /// True once an addition was refused because a limit was reached; the message must then not be sent.
  @usableFromInline var refused = false

  public init() {
    fields = .allocate(capacity: Self.initialRoom)
    wireBase = BytePointer(arena.base)
  }

  deinit {
    fields.deallocate()
    kept?.deallocate()
  }

  /// Rows of the index, removed ones included: walk `0..<count` and skip what `isRemoved` says is gone.
  @inlinable public var count: Int { fieldCount }
  /// Where the received head starts.
  @inlinable public var wire: BytePointer { wireBase }
  /// True once a field was refused because `fieldLimit` or `arenaLimit` was reached.
  @inlinable public var hasOverflowed: Bool { refused }

  /// Empties the table for a head received at `wire`.
  @inlinable @inline(__always)
  public mutating func reset(wire: BytePointer) {
    fieldCount = 0
    seen = 0
    wireBase = wire
    refused = false
    arena.reset()
  }

  /// Empties the table for a head that is made and not received.
  public mutating func reset() {
    reset(wire: BytePointer(arena.base))
    dropKept()
  }

  /// Copies the first `length` received bytes into memory of the table's own, so that the buffer may be reused.
  public mutating func keepWire(length: Int) {
    if length == 0 { return }
    if let kept, BytePointer(kept) == wireBase { return }
    dropKept()
    let copy = MutableBytePointer.allocate(capacity: max(length, 1))
    memcpy(copy, wireBase, length)
    kept = copy
    wireBase = BytePointer(copy)
  }

  /// Frees what `keepWire` took. Call when the exchange ends.
  @inlinable @inline(__always)
  public mutating func dropKept() {
    if let k = kept {
      kept = nil
      if wireBase == BytePointer(k) { wireBase = BytePointer(arena.base) }
      k.deallocate()
    }
  }

  /// Appends the row of a received line; false when the table is full. Lines come in their order, and one that is not
  /// `irregular` begins where the one before it has ended.
  @inlinable @inline(__always)
  public mutating func append(_ f: HeaderField) -> Bool {
    if fieldCount == room && !grow() { return false }
    fields[fieldCount] = f
    fieldCount &+= 1
    seen |= f.known.bit | Self.lengthBit(Int(f.nameLength))
    return true
  }

  /// Makes room for more rows; false when the table is full.
  @usableFromInline
  mutating func grow() -> Bool {
    if room >= Self.fieldLimit { return false }
    let more = min(room * 2, Self.fieldLimit)
    let bigger = UnsafeMutablePointer<HeaderField>.allocate(capacity: more)
    bigger.update(from: fields, count: fieldCount)
    fields.deallocate()
    fields = bigger
    room = more
    return true
  }

  /// Row `i`, which must be below `count`; not checked. A row that is set must be of the same kind as before.
  @inlinable @inline(__always)
  public subscript(i: Int) -> HeaderField {
    get { fields[i] }
    nonmutating set { fields[i] = newValue }
  }

  @inlinable @inline(__always)
  public func isRemoved(_ i: Int) -> Bool { fields[i].flags.rawValue & 1 != 0 }

  @inlinable @inline(__always)
  func textBase(_ f: HeaderField) -> BytePointer {
    f.flags.rawValue & 2 != 0 ? BytePointer(arena.base) : wireBase
  }

  @inlinable @inline(__always)
  public func name(_ f: HeaderField) -> Bytes { Bytes(textBase(f) + Int(f.nameStart), Int(f.nameLength)) }
  @inlinable @inline(__always)
  public func value(_ f: HeaderField) -> Bytes { Bytes(textBase(f) + Int(f.valueStart), Int(f.valueLength)) }
  @inlinable @inline(__always)
  public func name(at i: Int) -> Bytes { name(fields[i]) }
  @inlinable @inline(__always)
  public func value(at i: Int) -> Bytes { value(fields[i]) }

  @inlinable @inline(__always)
  public func text(_ r: TextReference) -> Bytes {
    Bytes((r.inArena ? BytePointer(arena.base) : wireBase) + Int(r.start), Int(r.count))
  }

  /// Copies text into the arena. nil, and `hasOverflowed`, when the limit is reached.
  @inlinable
  public mutating func store(_ b: Bytes) -> TextReference? {
    let at = arena.append(b.base, b.count)
    if at < 0 {
      refused = true
      return nil
    }
    return TextReference(start: at, count: b.count, inArena: true)
  }

  // MARK: Look-up

  @inlinable @inline(__always)
  static func lengthBit(_ length: Int) -> UInt64 { 1 &<< UInt64(truncatingIfNeeded: 32 | length & 31) }

  /// Index of the first field of that kind at or after `from`, or nil.
  @inlinable @inline(__always)
  public func find(_ known: KnownHeader, from: Int = 0) -> Int? {
    if seen & known.bit == 0 { return nil }
    var i = from
    while i < fieldCount {
      if fields[i].known == known && !isRemoved(i) { return i }
      i &+= 1
    }
    return nil
  }

  /// Index of the first field called `lower` (in lower case) at or after `from`, or nil.
  @inlinable @inline(__always)
  public func find(_ lower: Bytes, from: Int = 0) -> Int? {
    seen & Self.lengthBit(lower.count) == 0 ? nil : search(lower, from: from)
  }

  @usableFromInline
  func search(_ lower: Bytes, from: Int) -> Int? {
    var i = from
    while i < fieldCount {
      let f = fields[i]
      if Int(f.nameLength) == lower.count && f.flags.rawValue & 1 == 0 && name(f).equalsIgnoringCase(lower) {
        return i
      }
      i &+= 1
    }
    return nil
  }

  @inlinable @inline(__always)
  public func find(_ name: HeaderName, from: Int = 0) -> Int? {
    name.known != .other ? find(name.known, from: from) : find(name.bytes, from: from)
  }

  /// The value of the first field of that name.
  @inlinable @inline(__always)
  public func value(_ name: HeaderName) -> Bytes? {
    guard let i = find(name) else { return nil }
    return value(at: i)
  }

  @inlinable @inline(__always)
  public func value(_ known: KnownHeader) -> Bytes? {
    guard let i = find(known) else { return nil }
    return value(at: i)
  }

  /// The values of every field of that name, joined by a comma (RFC 9110 5.3), written to `w`.
  /// - Returns: how many fields there were.
  public func joined(_ name: HeaderName, into w: inout ByteWriter) -> Int {
    var n = 0
    var at = find(name)
    while let i = at {
      if n > 0 { w.append(",") }
      w.append(value(at: i))
      n &+= 1
      at = find(name, from: i &+ 1)
    }
    return n
  }

  // MARK: Change

  @inlinable @inline(__always)
  public func remove(at i: Int) { fields[i].flags.insert(.removed) }

  /// Removes every field of that name; says how many there were.
  @inlinable @inline(__always) @discardableResult
  public mutating func remove(_ name: HeaderName) -> Int {
    seen & Self.lengthBit(name.bytes.count) == 0 ? 0 : removeAll(name)
  }

  @usableFromInline
  mutating func removeAll(_ name: HeaderName) -> Int {
    var n = 0
    var at = find(name)
    while let i = at {
      remove(at: i)
      n &+= 1
      at = find(name, from: i &+ 1)
    }
    return n
  }

  @inlinable @inline(__always) @discardableResult
  public mutating func remove(_ known: KnownHeader) -> Int {
    seen & known.bit == 0 ? 0 : removeAll(known)
  }

  @usableFromInline
  mutating func removeAll(_ known: KnownHeader) -> Int {
    var n = 0
    var at = find(known)
    while let i = at {
      remove(at: i)
      n &+= 1
      at = find(known, from: i &+ 1)
    }
    return n
  }

  /// Appends `name: value`, copying both. The value must hold no CR, LF or NUL; see `isFieldValue`.
  /// - Returns: false, and `hasOverflowed`, when a limit is reached.
  @inlinable @discardableResult
  public mutating func add(_ name: Bytes, _ value: Bytes, known: KnownHeader) -> Bool {
    if name.count > 0xffff || (fieldCount == room && !grow()) {
      refused = true
      return false
    }
    let start = arena.appendLine(name, value)
    if start < 0 {
      refused = true
      return false
    }
    fields[fieldCount] = HeaderField(
      nameStart: start, nameLength: name.count, valueStart: start &+ name.count &+ 2, valueLength: value.count,
      known: known, flags: .inArena)
    fieldCount &+= 1
    seen |= known.bit | Self.lengthBit(name.count)
    return true
  }

  /// The same for a name that is a literal in lower case: what can be done about it is done at compile time.
  @inlinable @inline(__always) @discardableResult
  public mutating func add(literal name: StaticString, _ value: Bytes, known: KnownHeader) -> Bool {
    if fieldCount == room { return add(Bytes(name), value, known: known) }
    let start = arena.appendLine(literal: name, value)
    if start < 0 { return add(Bytes(name), value, known: known) }
    let valueStart = start &+ name.utf8CodeUnitCount &+ 2
    fields[fieldCount] = HeaderField(
      nameStart: start, nameLength: name.utf8CodeUnitCount, valueStart: valueStart, valueLength: value.count,
      known: known, flags: .inArena)
    fieldCount &+= 1
    seen |= known.bit | Self.lengthBit(name.utf8CodeUnitCount)
    return true
  }

  @inlinable @inline(__always) @discardableResult
  public mutating func add(_ name: HeaderName, _ value: Bytes) -> Bool {
    add(name.bytes, value, known: name.known)
  }

  /// Replaces every field of that name by one.
  @inlinable @discardableResult
  public mutating func set(_ name: HeaderName, _ value: Bytes) -> Bool {
    // The value may be a borrowed one of this very table: removing leaves its bytes in place.
    remove(name)
    return add(name, value)
  }

  /// Whether `value` may stand in a field: no control character but TAB (RFC 9110 5.5), so that it can end no line.
  public static func isFieldValue(_ value: Bytes) -> Bool {
    var i = 0
    while i < value.count {
      let c = value.base[i]
      if (c < 0x20 && c != 0x09) || c == 0x7f { return false }
      i &+= 1
    }
    return true
  }

  /// Whether `name` is a token (RFC 9110 5.6.2).
  public static func isFieldName(_ name: Bytes) -> Bool {
    if name.isEmpty { return false }
    var i = 0
    while i < name.count {
      if cl_is_token(name.base[i]) == 0 { return false }
      i &+= 1
    }
    return true
  }
}
