import CLinux
import Glibc
import WeftIO

final class EventLoop {
  var reactor: Reactor
  var handlers: [Int32: (Readiness) -> Void] = [:]
  var timers: [(UInt64, () -> Void)] = []
  var sources: [any LoopSource] = []
  var stopped = false
  init() throws { reactor = try Reactor(batch: 64) }
  func add(_ fd: Int32, readable: Bool, _ h: @escaping (Readiness) -> Void) throws {
    handlers[fd] = h
    try reactor.addLevelTriggered(fd, Token(kind: 0, slot: Int(fd), generation: 0))
  }
  func update(_ fd: Int32, readable: Bool, writable: Bool) throws {
    try reactor.update(fd, Token(kind: 0, slot: Int(fd), generation: 0), readable: readable, writable: writable)
  }
  func remove(_ fd: Int32) {
    handlers[fd] = nil
    reactor.remove(fd)
  }
  func after(_ ms: UInt64, _ f: @escaping () -> Void) { timers.append((MonotonicTime.milliseconds() + ms, f)) }
  func host(_ s: any LoopSource) throws {
    sources.append(s)
    try add(s.descriptor, readable: true) { _ in s.process(now: MonotonicTime.milliseconds()) }
  }
  func stop() { stopped = true }
  func run() {
    while !stopped {
      let n = reactor.wait(milliseconds: 20)
      for i in 0..<n { handlers[Int32(reactor.token(i).slot)]?(reactor.readiness(i)) }
      let now = MonotonicTime.milliseconds()
      let due = timers.filter { $0.0 <= now }
      timers.removeAll { $0.0 <= now }
      for d in due { d.1() }
      for s in sources { if let d = s.nextDeadline(now: now), d <= now { s.process(now: now) } }
    }
  }
}
final class SignalSource: LoopSource {
  let descriptor: Int32
  var onSignal: (Int32) -> Void = { _ in }
  init(_ list: [Int32]) throws {
    signal(SIGPIPE, SIG_IGN)
    var set = sigset_t()
    sigemptyset(&set)
    for s in list { sigaddset(&set, s) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    descriptor = signalfd(-1, &set, 0o4000)
  }
  func nextDeadline(now: UInt64) -> UInt64? { nil }
  func process(now: UInt64) {
    var i = signalfd_siginfo()
    while read(descriptor, &i, MemoryLayout<signalfd_siginfo>.size) > 0 { onSignal(Int32(i.ssi_signo)) }
  }
}
final class FileWatcher: LoopSource {
  var onChange: ([String]) -> Void = { _ in }
  var last: [String: (Int, Int)] = [:]
  var paths: [String] = []
  let descriptor: Int32 = eventfd(0, 0)
  var next: UInt64 = 0
  func nextDeadline(now: UInt64) -> UInt64? { next }
  func stamp() -> [String: Int] {
    var r: [String: Int] = [:]
    for p in paths {
      var s = stat()
      if stat(p, &s) == 0 { r[p] = Int(s.st_mtim.tv_sec) * 1_000_000_000 + Int(s.st_mtim.tv_nsec) + Int(s.st_size) }
    }
    return r
  }
  var seen: [String: Int] = [:]
  func watch(_ p: [String]) throws {
    paths = p
    seen = stamp()
  }
  func process(now: UInt64) {
    if now < next { return }
    next = now + 100
    let s = stamp()
    if s != seen {
      seen = s
      onChange([])
    }
  }
}
