import Glibc

/// A value behind a mutex, used like `Synchronization.Mutex`, for what threads share off the data path.
///
/// Not that type, because on Linux its contended path is a futex inside the standard library, where ThreadSanitizer sees
/// no synchronisation and reports races that are none. It knows pthread_mutex_lock(3).
public struct Locked<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let value: UnsafeMutablePointer<Value>

  public init(_ initial: consuming sending Value) {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    // It has nothing to fail at with default attributes (pthread_mutex_init(3)).
    pthread_mutex_init(mutex, nil)
    value = .allocate(capacity: 1)
    value.initialize(to: initial)
  }

  deinit {
    value.deinitialize(count: 1)
    value.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Calls `body` with the value while no other thread has it. Not reentrant: `body` must not lock it again.
  public func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    let error = pthread_mutex_lock(mutex)
    precondition(error == 0, "pthread_mutex_lock failed")
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value.pointee)
  }
}
