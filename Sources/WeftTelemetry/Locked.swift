import Glibc

/// A value behind a pthread mutex, with a condition to wait for. Not Synchronization's `Mutex`: ThreadSanitizer cannot see that one lock, and calls
/// everything that it guards a race.
final class Locked<Value: Sendable>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var value: Value

  init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    var status = pthread_mutex_init(mutex, nil)
    if status == 0 { status = pthread_condattr_init(&attributes) }
    if status == 0 { status = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) }
    if status == 0 { status = pthread_cond_init(changed, &attributes) }
    precondition(status == 0, "no mutex: error \(status)")
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Calls `body` with the lock held; `body` must not come back for it.
  func withLock<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
    let status = pthread_mutex_lock(mutex)
    precondition(status == 0, "pthread_mutex_lock: \(status)")
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value)
  }

  /// Wakes whoever waits in `wait`.
  func broadcast() { pthread_cond_broadcast(changed) }

  /// Waits until `condition` holds or the monotonic clock reads `deadline` nanoseconds; gives what `condition` said last.
  func wait(until deadline: UInt64, for condition: (inout Value) -> Bool) -> Bool {
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    let status = pthread_mutex_lock(mutex)
    precondition(status == 0, "pthread_mutex_lock: \(status)")
    defer { pthread_mutex_unlock(mutex) }
    while !condition(&value) {
      if pthread_cond_timedwait(changed, mutex, &time) != 0 { return condition(&value) }
    }
    return true
  }
}
