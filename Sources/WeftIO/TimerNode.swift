/// A timer, embedded in what it belongs to, at an address that does not move while it is scheduled.
///
/// Before the memory goes or is recycled, cancel it. Never copied, because a wheel links it into its lists.
@frozen
public struct TimerNode: ~Copyable {
  @usableFromInline var previous: UnsafeMutablePointer<TimerNode>?
  @usableFromInline var next: UnsafeMutablePointer<TimerNode>?
  /// When it is due, in the wheel's milliseconds. Means something only while it is scheduled, and as it fires.
  public var deadline: UInt64 { @inlinable @inline(__always) get { due } }
  @usableFromInline var due: UInt64 = 0
  /// Where in the wheel it sits: its deadline, or an earlier one that has been put off since.
  @usableFromInline var scheduled: UInt64 = 0
  /// The `Token` of what it belongs to, for the owner.
  public var token: UInt64 = 0
  /// What it is for, for the owner.
  public var kind: UInt8 = 0
  @usableFromInline var place = TimerNode.nowhere

  @usableFromInline static var nowhere: UInt16 { @inline(__always) get { .max } }

  @inlinable public init(token: UInt64 = 0, kind: UInt8 = 0) {
    self.token = token
    self.kind = kind
  }

  @inlinable @inline(__always) public var isScheduled: Bool { place != TimerNode.nowhere }
}
