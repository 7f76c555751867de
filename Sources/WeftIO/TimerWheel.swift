/// Timers of one event loop, with a resolution of a millisecond: scheduling and cancelling take constant time, whatever
/// their number, and nothing is allocated.
///
/// Eleven levels of 64 slots hold every 64-bit deadline. A timer sits at the level of the highest six-bit digit in which
/// its deadline differs from the wheel's position, in the slot of that digit, so that the lowest occupied level holds
/// whatever is due first. When the position reaches a slot of a higher level, its timers move to lower ones: each timer
/// moves ten times at the most in its life. One bit a slot says which are occupied, so that a long pause is crossed by
/// jumping from one occupied slot to the next.
///
/// No method mutates the struct itself: a callback may call any of them.
@frozen
public struct TimerWheel: ~Copyable {
  @usableFromInline typealias Node = UnsafeMutablePointer<TimerNode>

  @frozen
  @usableFromInline
  struct Position {
    /// Every slot that begins before this has been dealt with.
    @usableFromInline var elapsed: UInt64
    /// The time that the last `expire` was told; nothing is scheduled at or before it.
    @usableFromInline var now: UInt64
    /// Bit i: level i holds timers.
    @usableFromInline var levels: UInt64 = 0
    @usableFromInline var count = 0

    @usableFromInline init(at now: UInt64) {
      elapsed = now
      self.now = now
    }
  }

  @usableFromInline static var levelCount: Int { @inline(__always) get { 11 } }

  @usableFromInline let position: UnsafeMutablePointer<Position>
  @usableFromInline let occupied: UnsafeMutablePointer<UInt64>
  @usableFromInline let slots: UnsafeMutablePointer<Node?>

  /// - Parameter now: the time, in milliseconds of a clock that does not go back.
  public init(now: UInt64) {
    position = .allocate(capacity: 1)
    position.initialize(to: Position(at: now))
    occupied = .allocate(capacity: Self.levelCount)
    occupied.initialize(repeating: 0, count: Self.levelCount)
    slots = .allocate(capacity: Self.levelCount * 64)
    slots.initialize(repeating: nil, count: Self.levelCount * 64)
  }

  /// Timers still scheduled are forgotten.
  deinit {
    position.deallocate()
    occupied.deallocate()
    slots.deallocate()
  }

  /// Timers that are scheduled.
  @inlinable public var count: Int { position.pointee.count }

  // MARK: Scheduling

  /// Schedules `node`, wherever it was before. A deadline that has passed is moved to the next millisecond, so that
  /// each timer fires once in an `advance` at the most.
  @inlinable
  public func schedule(_ node: UnsafeMutablePointer<TimerNode>, at deadline: UInt64) {
    if node.pointee.isScheduled {
      unlink(node)
    } else {
      position.pointee.count &+= 1
    }
    node.pointee.due = max(deadline, position.pointee.now &+ 1)
    link(node)
  }

  /// Schedules `node`, and if it is only put off leaves it where it is: two stores. When its old place comes up, the
  /// wheel moves it. For timers that are put off often and seldom fire.
  @inlinable @inline(__always)
  public func scheduleLazily(_ node: UnsafeMutablePointer<TimerNode>, at deadline: UInt64) {
    if node.pointee.isScheduled && deadline >= node.pointee.scheduled {
      node.pointee.due = deadline
    } else {
      schedule(node, at: deadline)
    }
  }

  /// Takes `node` out; nothing happens when it is not scheduled.
  @inlinable
  public func cancel(_ node: UnsafeMutablePointer<TimerNode>) {
    if !node.pointee.isScheduled { return }
    unlink(node)
    position.pointee.count &-= 1
  }

  // MARK: Firing

  /// Fires what is due, in the order of the deadlines. `fire` may schedule and cancel any timer and free the memory of
  /// the one that it is given, which is no longer scheduled.
  @inlinable
  public func advance(to now: UInt64, fire: (UnsafeMutablePointer<TimerNode>) -> Void) {
    while let node = expire(dueBy: now) { fire(node) }
  }

  /// Takes out one timer that is due at `now`, the earliest; nil when there is none left.
  @inlinable
  public func expire(dueBy now: UInt64) -> UnsafeMutablePointer<TimerNode>? {
    if now > position.pointee.now { position.pointee.now = now }
    while let (index, start) = firstSlot(), start <= position.pointee.now {
      position.pointee.elapsed = start
      if index >= 64 {
        lower(index)
        continue
      }
      guard let node = slots[index] else { break }
      unlink(node)
      if node.pointee.due <= start {
        position.pointee.count &-= 1
        return node
      }
      link(node)  // It has been put off.
    }
    position.pointee.elapsed = position.pointee.now
    return nil
  }

  /// When the wheel wants to be advanced next, or nil when nothing is scheduled. Never later than the earliest deadline;
  /// it may be earlier, when timers have to move to a lower level first or have been put off.
  @inlinable
  public var nextDeadline: UInt64? { firstSlot()?.start }

  /// Milliseconds from `now` to `nextDeadline`, as epoll_wait(2) takes them: 0 when that has passed, -1 when nothing is
  /// scheduled.
  @inlinable
  public func timeout(now: UInt64) -> Int32 {
    guard let next = nextDeadline else { return -1 }
    return next <= now ? 0 : Int32(clamping: next &- now)
  }

  // MARK: Slots

  /// The first occupied slot and the time at which it begins.
  @inlinable @inline(__always)
  func firstSlot() -> (index: Int, start: UInt64)? {
    let levels = position.pointee.levels
    if levels == 0 { return nil }
    let level = levels.trailingZeroBitCount
    let slot = occupied[level].trailingZeroBitCount
    let shift = UInt64(truncatingIfNeeded: level &* 6)
    // The digits above this level are the position's own.
    let above = (position.pointee.elapsed &>> shift) & ~63
    return (level &* 64 &+ slot, (above | UInt64(truncatingIfNeeded: slot)) &<< shift)
  }

  /// Moves the timers of a slot above the lowest level, which begins now, to where they belong now. All at once: the
  /// lower levels come first afterwards.
  @usableFromInline
  func lower(_ index: Int) {
    while let node = slots[index] {
      unlink(node)
      link(node)
    }
  }

  @inlinable @inline(__always)
  func link(_ node: Node) {
    let due = node.pointee.due
    // The highest bit that differs; bits 0 to 5 are one level.
    let highest = 63 &- ((due ^ position.pointee.elapsed) | 63).leadingZeroBitCount
    let level = highest / 6
    let slot = Int(truncatingIfNeeded: (due &>> UInt64(truncatingIfNeeded: level &* 6)) & 63)
    let index = level &* 64 &+ slot
    let head = slots[index]
    node.pointee.scheduled = due
    node.pointee.place = UInt16(truncatingIfNeeded: index)
    node.pointee.previous = nil
    node.pointee.next = head
    if let head { head.pointee.previous = node }
    slots[index] = node
    occupied[level] |= 1 &<< UInt64(truncatingIfNeeded: slot)
    position.pointee.levels |= 1 &<< UInt64(truncatingIfNeeded: level)
  }

  @inlinable @inline(__always)
  func unlink(_ node: Node) {
    let index = Int(node.pointee.place)
    let next = node.pointee.next
    let previous = node.pointee.previous
    if let next { next.pointee.previous = previous }
    if let previous {
      previous.pointee.next = next
    } else {
      slots[index] = next
      if next == nil {
        let level = index &>> 6
        occupied[level] &= ~(1 &<< UInt64(truncatingIfNeeded: index & 63))
        if occupied[level] == 0 { position.pointee.levels &= ~(1 &<< UInt64(truncatingIfNeeded: level)) }
      }
    }
    node.pointee.previous = nil
    node.pointee.next = nil
    node.pointee.place = TimerNode.nowhere
  }
}
