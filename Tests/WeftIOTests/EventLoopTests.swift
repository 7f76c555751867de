import Glibc
import Testing
import WeftIO

struct EventLoopTests {
  /// Runs a loop, but no longer than ten seconds.
  private func run(_ loop: EventLoop) -> Bool {
    var timedOut = false
    let guardTimer = loop.after(10_000) {
      timedOut = true
      loop.stop()
    }
    loop.run()
    loop.cancel(guardTimer)
    return !timedOut
  }

  @Test func descriptorsTimersAndTheirEnd() throws {
    let loop = try EventLoop()
    var pair = SocketPair()
    var events: [String] = []
    try loop.add(pair.a, readable: true) { [a = pair.a] readiness in
      var byte: UInt8 = 0
      let result = Socket.receive(a, &byte, 1)
      if result.succeeded {
        events.append("read \(byte)")
      } else if result.isEnd {
        events.append("end")
        loop.remove(a)
        loop.stop()
      }
    }
    let cancelled = loop.after(1) { events.append("cancelled") }
    loop.cancel(cancelled)
    loop.after(5) { [b = pair.b] in
      events.append("timer")
      #expect(Socket.send(b, [7], 1).count == 1)
      loop.after(0) {
        events.append("inner")
        #expect(Socket.shutdownWrite(b))
      }
    }
    #expect(run(loop))
    #expect(events.filter { $0 != "inner" } == ["timer", "read 7", "end"])
    #expect(events.contains("inner"))
    Socket.closeOnce(&pair.a)
  }

  @Test func interestChanges() throws {
    let loop = try EventLoop()
    let pair = SocketPair()
    var writable = 0
    try loop.add(pair.a, readable: false, writable: true) { [a = pair.a] readiness in
      #expect(readiness.writable && !readiness.readable)
      writable += 1
      if writable == 3 {
        do { try loop.update(a, readable: true, writable: false) } catch { Issue.record(error) }
        loop.after(20) { loop.stop() }
      }
    }
    #expect(run(loop))
    loop.remove(pair.a)
    #expect(writable == 3)
    #expect(throws: SystemError.self) { try loop.update(pair.b, readable: true, writable: false) }
    loop.remove(pair.b)
  }

  @Test func anEventForARemovedDescriptorIsDropped() throws {
    let loop = try EventLoop()
    let first = SocketPair()
    let second = SocketPair()
    var calls = 0
    // Both are ready in the same batch; whichever comes first removes the other.
    for (mine, other) in [(first.a, second.a), (second.a, first.a)] {
      try loop.add(mine, readable: true) { _ in
        calls += 1
        loop.remove(mine)
        loop.remove(other)
        loop.after(10) { loop.stop() }
      }
    }
    #expect(Socket.send(first.b, [1], 1).count == 1 && Socket.send(second.b, [1], 1).count == 1)
    #expect(run(loop))
    #expect(calls == 1)
  }

  @Test func otherThreadsPostAndStop() throws {
    let loop = try EventLoop()
    let remote = loop.remote
    let counter = Counter()
    let threads = try (0..<3).map { i in
      try EventLoopThread(name: "poster-\(i)") {
        for _ in 0..<500 { while !remote.post({ counter.add() }) { sched_yield() } }
      }
    }
    let stopper = try EventLoopThread(name: "stopper") {
      for thread in threads { thread.join() }
      remote.stop()
    }
    #expect(run(loop))
    stopper.join()
    #expect(counter.value == 1_500)
  }

  @Test func stoppingBeforeRunningAndRunningAgain() throws {
    let loop = try EventLoop()
    loop.stop()
    loop.run()
    var fired = false
    loop.after(1) {
      fired = true
      loop.stop()
    }
    #expect(run(loop))
    #expect(fired)
  }

  @Test func hostsAResolver() throws {
    let server = try DNSServer { _ in .records([.a("10.0.0.1", ttl: 5), .aaaa("::1", ttl: 5)]) }
    let loop = try EventLoop()
    var options = Resolver.Options()
    options.servers = [server.address]
    let resolver = try Resolver(options)
    try loop.host(resolver)
    var found: [IPAddress] = []
    loop.after(1) {
      resolver.resolve("a.test.") { result in
        found = (try? result.get().addresses) ?? []
        loop.unhost(resolver)
        loop.stop()
      }
    }
    #expect(run(loop))
    #expect(found.count == 2)
  }

  @Test func nothingIsLeftBehind() throws {
    weak var left: EventLoop?
    final class Probe {}
    weak var probe: Probe?
    do {
      let loop = try EventLoop()
      left = loop
      let captured = Probe()
      probe = captured
      loop.after(60_000) { _ = captured }
      try loop.host(try Resolver())
      loop.after(1) { [unowned loop] in loop.stop() }
      loop.run()
    }
    #expect(left == nil && probe == nil)
  }

  final class Counter: Sendable {
    private let count = Locked(0)
    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
  }
}

struct SignalSourceTests {
  /// Signals are sent to a thread of its own, so that other tests' threads, which do not block them, are not hit.
  @Test func signalsAreEvents() throws {
    final class Seen: Sendable { let signals = Locked<[Int32]>([]) }
    let seen = Seen()
    let thread = try EventLoopThread(name: "signals") {
      do {
        let loop = try EventLoop()
        let source = try SignalSource([SIGUSR2, SIGWINCH])
        try loop.host(source)
        source.onSignal = { [unowned loop] signal in
          seen.signals.withLock { $0.append(signal) }
          if signal == SIGWINCH { loop.stop() }
        }
        pthread_kill(pthread_self(), SIGUSR2)
        pthread_kill(pthread_self(), SIGUSR2)
        loop.after(5) { pthread_kill(pthread_self(), SIGWINCH) }
        loop.after(10_000) { [unowned loop] in loop.stop() }
        loop.run()
        loop.unhost(source)
      } catch { Issue.record(error) }
    }
    thread.join()
    #expect(seen.signals.withLock { $0 } == [SIGUSR2, SIGWINCH], "two of a kind that wait are one")
    #expect(throws: SystemError.self) { try SignalSource([1_000]) }
  }

  @Test func aWholeProcessHearsOfItsEnd() async {
    await #expect(processExitsWith: .success) {
      // In the child every thread that starts later inherits the blocked signals; older ones must not take it.
      guard let source = try? SignalSource([SIGTERM]), let loop = try? EventLoop() else { exit(2) }
      var heard: Int32 = 0
      source.onSignal = {
        heard = $0
        loop.stop()
      }
      guard (try? loop.host(source)) != nil else { exit(3) }
      pthread_kill(pthread_self(), SIGTERM)
      loop.run()
      // A write into a closed pipe must not end the process.
      var pipes: [Int32] = [-1, -1]
      guard pipe(&pipes) == 0 else { exit(4) }
      Socket.close(pipes[0])
      let result = write(pipes[1], "x", 1)
      exit(heard == SIGTERM && result == -1 && errno == EPIPE ? 0 : 1)
    }
  }
}
