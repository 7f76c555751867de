/// Something that lives on an event loop without knowing the loop: a resolver, a file watcher, signals.
///
/// Whoever owns a `Reactor` can host it: register `descriptor` level-triggered for reading, and call `process` when it
/// is readable or `nextDeadline` has come, always on the same thread. `process` is also fine at any other time.
public protocol LoopSource: AnyObject {
  /// Readable when there is something to process.
  var descriptor: Int32 { get }

  /// When `process` wants to be called at the latest, in milliseconds of `MonotonicTime`; nil: not before the descriptor
  /// is readable. It may change whenever the source is used: ask before each wait.
  func nextDeadline(now: UInt64) -> UInt64?

  /// Does what there is to do, without blocking.
  func process(now: UInt64)
}
