import CLinux
import Glibc

/// An epoll instance and its event array. One thread owns it.
///
/// Connections are registered once, edge-triggered, for reading and writing together: no further `epoll_ctl` in a
/// connection's life, and backpressure is simply not reading. The owner remembers readiness until a read or write has
/// said EAGAIN.
@frozen
public struct Reactor: ~Copyable {
  @usableFromInline let descriptor: Int32
  @usableFromInline let events: UnsafeMutablePointer<epoll_event>
  @usableFromInline let batch: Int32

  /// - Parameter batch: how many events one `wait` takes at the most.
  /// - Throws: `SystemError` when the kernel gives no epoll instance.
  public init(batch: Int) throws(SystemError) {
    let fd = epoll_create1(Int32(EPOLL_CLOEXEC))
    if fd < 0 { throw SystemError(operation: "epoll_create1", errno: errno) }
    descriptor = fd
    self.batch = Int32(clamping: batch)
    events = .allocate(capacity: batch)
  }

  deinit {
    close(descriptor)
    events.deallocate()
  }

  /// Registers `fd` for its whole life, edge-triggered in both directions.
  public func add(_ fd: Int32, _ token: Token) throws(SystemError) {
    try register(
      fd, token,
      EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue, EPOLL_CTL_ADD)
  }

  /// Registers `fd` level-triggered, for reading only: listeners, event descriptors.
  public func addLevelTriggered(_ fd: Int32, _ token: Token, writable: Bool = false) throws(SystemError) {
    try register(fd, token, EPOLLIN.rawValue | (writable ? EPOLLOUT.rawValue : 0), EPOLL_CTL_ADD)
  }

  /// Registers a listener that several threads accept from, each with a descriptor and an epoll instance of its own: an
  /// arrival wakes one of them or a few, not all (EPOLLEXCLUSIVE).
  public func addShared(_ fd: Int32, _ token: Token) throws(SystemError) {
    try register(fd, token, EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue, EPOLL_CTL_ADD)
  }

  /// Changes what a level-triggered registration waits for.
  public func update(_ fd: Int32, _ token: Token, readable: Bool, writable: Bool) throws(SystemError) {
    try register(
      fd, token, (readable ? EPOLLIN.rawValue : 0) | (writable ? EPOLLOUT.rawValue : 0), EPOLL_CTL_MOD)
  }

  /// Ends the registration of `fd`. Closing the last copy of a descriptor does the same.
  public func remove(_ fd: Int32) {
    var unused = epoll_event()
    _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, fd, &unused)
  }

  private func register(_ fd: Int32, _ token: Token, _ bits: UInt32, _ operation: Int32) throws(SystemError) {
    var event = epoll_event()
    event.events = bits
    event.data.u64 = token.raw
    if epoll_ctl(descriptor, operation, fd, &event) != 0 { throw SystemError(operation: "epoll_ctl", errno: errno) }
  }

  /// Waits for events.
  /// - Parameter milliseconds: how long at the most; -1 without end.
  /// - Returns: how many there are; 0 also when a signal cut the wait short.
  @inlinable @inline(__always)
  public func wait(milliseconds: Int32) -> Int { max(0, Int(epoll_wait(descriptor, events, batch, milliseconds))) }

  /// Gives what has come after a rest of so many nanoseconds, below a second, which no event cuts short.
  public func rest(nanoseconds: UInt64) -> Int {
    var time = timespec(tv_sec: 0, tv_nsec: Int(min(nanoseconds, 999_999_999)))
    nanosleep(&time, nil)
    return wait(milliseconds: 0)
  }

  @inlinable @inline(__always) public func token(_ i: Int) -> Token { Token(raw: events[i].data.u64) }
  @inlinable @inline(__always) public func readiness(_ i: Int) -> Readiness { Readiness(bits: events[i].events) }
}
