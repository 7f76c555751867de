/// Slots of unique structs at stable addresses, reused last-in-first-out. A slot's memory lives as long as the slab, so
/// a stale pointer still points at an initialised object, whose generation tells that it is another one.
///
/// No method mutates the struct itself, whose state is behind a pointer: its owner keeps it in a constant, and no access
/// to it is open while something else takes or gives a slot.
@frozen
public struct Slab<Object: ~Copyable>: ~Copyable {
  @frozen
  @usableFromInline
  struct State {
    @usableFromInline var objects: UnsafeMutablePointer<UnsafeMutablePointer<Object>>
    @usableFromInline var free: UnsafeMutablePointer<UInt32>
    @usableFromInline var freeCount = 0
    @usableFromInline var room = 64
    @usableFromInline var slots = 0
    @usableFromInline var used = 0

    @inlinable init() {
      objects = .allocate(capacity: 64)
      free = .allocate(capacity: 64)
    }
  }

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
    for i in 0..<state.pointee.slots {
      state.pointee.objects[i].deinitialize(count: 1)
      state.pointee.objects[i].deallocate()
    }
    state.pointee.objects.deallocate()
    state.pointee.free.deallocate()
    state.deallocate()
  }

  /// The object in slot `index`, which must be below `capacity`; not checked.
  @inlinable @inline(__always)
  public subscript(index: Int) -> UnsafeMutablePointer<Object> { state.pointee.objects[index] }

  /// Whether `index` names a slot that exists.
  @inlinable @inline(__always)
  public func contains(_ index: Int) -> Bool { index < state.pointee.slots }

  /// A free slot, or a new one built by `make`, which is given the slot's index.
  @inlinable
  public func take(make: (Int) -> Object) -> UnsafeMutablePointer<Object> {
    state.pointee.used &+= 1
    if state.pointee.freeCount > 0 {
      state.pointee.freeCount &-= 1
      return state.pointee.objects[Int(state.pointee.free[state.pointee.freeCount])]
    }
    if state.pointee.slots == state.pointee.room { grow() }
    let slot = state.pointee.slots
    let p = UnsafeMutablePointer<Object>.allocate(capacity: 1)
    p.initialize(to: make(slot))
    state.pointee.objects[slot] = p
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
  func grow() {
    let old = state.pointee
    let objects = UnsafeMutablePointer<UnsafeMutablePointer<Object>>.allocate(capacity: old.room * 2)
    objects.update(from: old.objects, count: old.slots)
    old.objects.deallocate()
    let free = UnsafeMutablePointer<UInt32>.allocate(capacity: old.room * 2)
    free.update(from: old.free, count: old.freeCount)
    old.free.deallocate()
    state.pointee.objects = objects
    state.pointee.free = free
    state.pointee.room = old.room * 2
  }
}
