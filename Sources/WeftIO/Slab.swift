/// Slots of unique structs at stable addresses, reused last-in-first-out. A slot's memory lives as long as the slab, so
/// a stale pointer still points at an initialised object, whose generation tells that it is another one.
///
/// Objects lie side by side in blocks of 32: beyond its object, a slot costs 4 bytes.
///
/// No method mutates the struct itself, whose state is behind a pointer: its owner keeps it in a constant, and no access
/// to it is open while something else takes or gives a slot.
@frozen
public struct Slab<Object: ~Copyable>: ~Copyable {
  @usableFromInline typealias Block = UnsafeMutablePointer<Object>

  @frozen
  @usableFromInline
  struct State {
    @usableFromInline var blocks: UnsafeMutablePointer<Block>
    @usableFromInline var free: UnsafeMutablePointer<UInt32>
    @usableFromInline var freeCount = 0
    /// How many slots `blocks` and `free` have room for.
    @usableFromInline var room = 64
    @usableFromInline var slots = 0
    @usableFromInline var used = 0

    @inlinable init() {
      blocks = .allocate(capacity: 2)
      free = .allocate(capacity: 64)
    }
  }

  @inlinable static var shift: Int { @inline(__always) get { 5 } }
  @inlinable static var blockSize: Int { @inline(__always) get { 32 } }

  @usableFromInline let state: UnsafeMutablePointer<State>

  /// Slots ever made.
  @inlinable public var capacity: Int { state.pointee.slots }
  /// Slots in use.
  @inlinable public var live: Int { state.pointee.used }

  @inlinable
  public init() {
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  @inlinable
  deinit {
    var left = state.pointee.slots
    var block = 0
    while left > 0 {
      let objects = state.pointee.blocks[block]
      objects.deinitialize(count: min(left, Self.blockSize))
      objects.deallocate()
      left &-= Self.blockSize
      block &+= 1
    }
    state.pointee.blocks.deallocate()
    state.pointee.free.deallocate()
    state.deallocate()
  }

  /// The object in slot `index`, which must be below `capacity`; not checked.
  @inlinable @inline(__always)
  public subscript(index: Int) -> UnsafeMutablePointer<Object> {
    state.pointee.blocks[index &>> Self.shift] + index & (Self.blockSize &- 1)
  }

  /// Whether `index` names a slot that exists.
  @inlinable @inline(__always)
  public func contains(_ index: Int) -> Bool { index < state.pointee.slots }

  /// A free slot, or a new one built by `make`, which is given the slot's index.
  @inlinable
  public func take(make: (Int) -> Object) -> UnsafeMutablePointer<Object> {
    state.pointee.used &+= 1
    if state.pointee.freeCount > 0 {
      state.pointee.freeCount &-= 1
      return self[Int(state.pointee.free[state.pointee.freeCount])]
    }
    let slot = state.pointee.slots
    if slot & (Self.blockSize &- 1) == 0 { addBlock() }
    let p = self[slot]
    p.initialize(to: make(slot))
    state.pointee.slots = slot &+ 1
    return p
  }

  /// Returns slot `index`. The caller has raised the object's generation.
  @inlinable
  public func give(_ index: Int) {
    state.pointee.free[state.pointee.freeCount] = UInt32(truncatingIfNeeded: index)
    state.pointee.freeCount &+= 1
    state.pointee.used &-= 1
  }

  @usableFromInline
  func addBlock() {
    if state.pointee.slots == state.pointee.room { grow() }
    state.pointee.blocks[state.pointee.slots &>> Self.shift] = .allocate(capacity: Self.blockSize)
  }

  private func grow() {
    let old = state.pointee
    let blocks = UnsafeMutablePointer<Block>.allocate(capacity: old.room &>> Self.shift * 2)
    blocks.update(from: old.blocks, count: old.slots &>> Self.shift)
    old.blocks.deallocate()
    let free = UnsafeMutablePointer<UInt32>.allocate(capacity: old.room * 2)
    free.update(from: old.free, count: old.freeCount)
    old.free.deallocate()
    state.pointee.blocks = blocks
    state.pointee.free = free
    state.pointee.room = old.room * 2
  }
}
