import Glibc
import Testing
import WeftIO

struct DescriptorReserveTests {
  /// Ends this process if something does not hold, its exit code telling how many things held before. Exit tests run in
  /// a process of their own, where a limit may be lowered without harm to other tests.
  private static func require(_ condition: Bool, _ what: String) {
    let number = held.withLock { held in
      held += 1
      return held
    }
    if !condition { exit(number) }
  }

  private static let held = Locked<Int32>(0)

  private static func lowerLimit(to count: Int) {
    var limit = rlimit()
    let resource = __rlimit_resource_t(bitPattern: RLIMIT_NOFILE.rawValue)
    require(getrlimit(resource, &limit) == 0, "getrlimit")
    limit.rlim_cur = rlim_t(count)
    require(setrlimit(resource, &limit) == 0, "setrlimit")
  }

  @Test func clientsAreTurnedAwayWhenNoDescriptorIsLeft() async {
    await #expect(processExitsWith: .success) {
      var reserve = DescriptorReserve()
      Self.require(reserve.isReady, "a spare at first")
      guard let listener = try? Socket.listen(SocketAddress(.loopbackV4, port: 0)) else { exit(2) }
      let address = Socket.localAddress(listener)
      var clients: [Int32] = []
      for _ in 0..<5 {
        switch Socket.connect(address) {
        case .connected(let fd), .inProgress(let fd): clients.append(fd)
        case .failed: exit(3)
        }
      }
      for fd in clients { Self.require(waitUntil(fd, POLLOUT), "connected") }
      Self.lowerLimit(to: 64)
      var fill: [Int32] = []
      // Again and again, because other threads of the process give descriptors back now and then.
      func exhaust() {
        while case let fd = open("/dev/null", O_RDONLY), fd >= 0 { fill.append(fd) }
        Self.require(errno == EMFILE, "the limit is reached")
      }
      var peer = SocketAddress()
      exhaust()
      Self.require(Socket.accept(listener, peer: &peer) == .exhausted(EMFILE), "accept says so")
      exhaust()
      Self.require(Socket.connect(address) == .failed(EMFILE), "so does connect")
      Self.require(reserve.shed(listener, limit: 3) == 3, "three are turned away")
      Self.require(reserve.isReady, "the spare is back")
      Self.require(reserve.shed(listener, limit: 100) == 2, "then the other two")
      Self.require(reserve.isReady, "the spare is back again")
      var byte: UInt8 = 0
      for fd in clients {
        Self.require(waitUntil(fd, POLLIN), "the client learns of it")
        Self.require(Socket.receive(fd, &byte, 1).errno == ECONNRESET, "by a reset")
      }
      exhaust()
      // Someone else was faster and took the spare: nothing breaks, and it comes back when there is room.
      var taken = DescriptorReserve()
      Self.require(!taken.isReady, "no spare to be had")
      Self.require(taken.shed(listener, limit: 1) == 0, "nobody to turn away")
      Socket.close(fill.removeLast())
      Self.require(taken.shed(listener, limit: 1) == 0 && taken.isReady, "a spare again")
      Self.require(reserve.isReady, "the first one keeps its own")
      _exit(0)  // not exit: a sanitizer's last look needs descriptors
    }
  }

  @Test func theLimitIsRaisedToTheHardOne() async {
    await #expect(processExitsWith: .success) {
      Self.lowerLimit(to: 64)
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(bitPattern: RLIMIT_NOFILE.rawValue), &limit)
      let hard = UInt64(limit.rlim_max)
      Self.require((try? DescriptorLimit.raise()) == hard, "raised")
      Self.require((try? DescriptorLimit.raise()) == hard, "and again without harm")
      getrlimit(__rlimit_resource_t(bitPattern: RLIMIT_NOFILE.rawValue), &limit)
      Self.require(UInt64(limit.rlim_cur) == hard, "in force")
      _exit(0)  // not exit: a sanitizer's last look needs descriptors
    }
  }

  @Test func whatNeedsADescriptorFailsWithAWord() async {
    await #expect(processExitsWith: .success) {
      // Below what is open already: no descriptor is to be had, whatever other threads give back.
      Self.lowerLimit(to: 3)
      func refused(_ body: () throws -> Void) -> Bool {
        do { try body() } catch let error as SystemError {
          return error.errno == EMFILE && error.description.contains("ulimit -n")
        } catch { return false }
        return false
      }
      Self.require(refused { _ = try Reactor(batch: 1) }, "reactor")
      Self.require(refused { _ = try Mailbox<Int>(capacity: 1) }, "mailbox")
      Self.require(refused { _ = try Socket.listen(SocketAddress(.loopbackV4, port: 0)) }, "listen")
      Self.require(refused { _ = try Resolver() }, "resolver")
      Self.require(refused { _ = try FileWatcher() }, "file watcher")
      Self.require(refused { _ = try EventLoop() }, "event loop")
      _exit(0)  // not exit: a sanitizer's last look needs descriptors
    }
  }
}
