import CLinux
import Glibc
import WeftIO

/// An epoll instance that waits to the nanosecond, which a fixed rate needs and the proxy's reactor does not.
struct Poller: ~Copyable {
  private let descriptor: Int32
  private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: 256)

  init() throws {
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard descriptor >= 0 else { throw LoadError("no epoll instance: \(String(cString: strerror(errno)))") }
  }

  deinit {
    close(descriptor)
    events.deallocate()
  }

  /// Edge-triggered, in both directions.
  func add(_ fd: Int32, _ number: Int) throws {
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    event.data.u64 = UInt64(number)
    guard epoll_ctl(descriptor, EPOLL_CTL_ADD, fd, &event) == 0 else {
      throw LoadError("epoll_ctl: \(String(cString: strerror(errno)))")
    }
  }

  /// - Returns: how many events there are.
  func wait(nanoseconds: UInt64) -> Int {
    var time = timespec(
      tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    return max(0, Int(epoll_pwait2(descriptor, events, 256, &time, nil)))
  }

  func number(_ i: Int) -> Int { Int(events[i].data.u64) }
  func readiness(_ i: Int) -> Readiness { Readiness(bits: events[i].events) }
}
