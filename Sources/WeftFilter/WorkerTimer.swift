import WeftIO

/// A timer that belongs to no exchange: for work that a filter does by itself. Only to be used on its worker's thread, and
/// to be cancelled before it goes.
public final class WorkerTimer {
  /// The wheel's node first, so that its address leads to the timer.
  package struct Box: ~Copyable {
    package var node: TimerNode
    package let timer: Unmanaged<WorkerTimer>
  }

  package let box: UnsafeMutablePointer<Box>
  /// Called each time that it is due.
  public let fire: () -> Void

  public init(_ fire: @escaping () -> Void) {
    self.fire = fire
    box = .allocate(capacity: 1)
    box.initialize(to: Box(node: TimerNode(), timer: Unmanaged.passUnretained(self)))
  }

  deinit {
    precondition(!box.pointee.node.isScheduled, "a timer is cancelled before it goes")
    box.deinitialize(count: 1)
    box.deallocate()
  }

  /// The timer that a wheel's node belongs to.
  package static func of(_ node: UnsafeMutablePointer<TimerNode>) -> WorkerTimer {
    UnsafeMutableRawPointer(node).assumingMemoryBound(to: Box.self).pointee.timer.takeUnretainedValue()
  }
}
