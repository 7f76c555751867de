/// Slots of unique structs at stable addresses, reused last-in-first-out. A slot's memory lives as long as the slab, so
/// a stale pointer still points at an initialised object, whose generation tells that it is another one.
///
/// Never hold an access to the slab across a callback: the callback may take or give a slot.
@frozen
public struct Slab<Object: ~Copyable>: ~Copyable {
  @usableFromInline var objects: UnsafeMutablePointer<UnsafeMutablePointer<Object>>
  @usableFromInline var free: UnsafeMutablePointer<UInt32>
  @usableFromInline var freeCount = 0
  @usableFromInline var room = 64
  /// Slots ever made.
  @inlinable public var capacity: Int { slots }
  @usableFromInline var slots = 0
  /// Slots in use.
  @inlinable public var live: Int { used }
  @usableFromInline var used = 0

  @inlinable
  public init() {
    objects = .allocate(capacity: 64)
    free = .allocate(capacity: 64)
  }

  @inlinable
  deinit {
    for i in 0..<slots {
      objects[i].deinitialize(count: 1)
      objects[i].deallocate()
    }
    objects.deallocate()
    free.deallocate()
  }

  /// The object in slot `index`, which must be below `capacity`; not checked.
  @inlinable @inline(__always)
  public subscript(index: Int) -> UnsafeMutablePointer<Object> { objects[index] }

  /// Whether `index` names a slot that exists.
  @inlinable @inline(__always)
  public func contains(_ index: Int) -> Bool { index < slots }

  /// A free slot, or a new one built by `make`, which is given the slot's index.
  @inlinable
  public mutating func take(make: (Int) -> Object) -> UnsafeMutablePointer<Object> {
    used &+= 1
    if freeCount > 0 {
      freeCount &-= 1
      return objects[Int(free[freeCount])]
    }
    if slots == room { grow() }
    let p = UnsafeMutablePointer<Object>.allocate(capacity: 1)
    p.initialize(to: make(slots))
    objects[slots] = p
    slots &+= 1
    return p
  }

  /// Returns slot `index`. The caller has raised the object's generation.
  @inlinable
  public mutating func give(_ index: Int) {
    free[freeCount] = UInt32(truncatingIfNeeded: index)
    freeCount &+= 1
    used &-= 1
  }

  @usableFromInline
  mutating func grow() {
    let biggerObjects = UnsafeMutablePointer<UnsafeMutablePointer<Object>>.allocate(capacity: room * 2)
    biggerObjects.update(from: objects, count: slots)
    objects.deallocate()
    objects = biggerObjects
    let biggerFree = UnsafeMutablePointer<UInt32>.allocate(capacity: room * 2)
    biggerFree.update(from: free, count: freeCount)
    free.deallocate()
    free = biggerFree
    room *= 2
  }
}
