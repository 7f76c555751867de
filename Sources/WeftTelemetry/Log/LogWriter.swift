import Glibc
import WeftIO

/// The thread that writes all logs of a process.
///
/// Threads that log hand over filled chunks and never wait: when a disk, pipe or terminal is slower than the lines come,
/// each sink holds up to 4 MiB, and what comes beyond that is dropped and counted. One slow sink does not hold up
/// another, save that a write to a regular file lasts as long as the disk lets it.
public final class LogWriter: Sendable {
  let queue: LogQueue

  /// Starts the thread.
  /// - Throws: `SystemError` when the system has no descriptor or thread to spare.
  public init() throws {
    let queue = try LogQueue()
    self.queue = queue
    try LogWriter.start(queue)
  }

  /// Writes what it can within a second, then ends the thread.
  deinit { stop(timeout: 1_000_000_000) }

  /// A way to `target`. The same target and kind share a descriptor and a queue as long as somebody uses them, so that a
  /// reload interrupts nothing.
  /// - Throws: `SystemError` when a file cannot be opened.
  public func sink(_ target: LogTarget, kind: LogKind = .access) throws -> LogSink {
    if let id = queue.state.withLock({ $0.take(target, kind) }) { return LogSink(queue: queue, id: id) }
    let fd = try target.open()
    let (id, unused) = queue.state.withLock { state in
      // Somebody may have opened it meanwhile.
      if let id = state.take(target, kind) { return (id, true) }
      state.nextID += 1
      state.sinks[state.nextID] = LogQueue.Sink(target: target, kind: kind, fd: fd)
      return (state.nextID, false)
    }
    if unused { target.close(fd) }
    return LogSink(queue: queue, id: id)
  }

  /// Closes and opens all files again, after they have been renamed for rotation. Lines queued before go to the old file
  /// or the new one. Happens soon, on the writer's thread; a file that cannot be opened stays as it is and is counted as
  /// an error.
  public func reopen() {
    queue.state.withLock { state in
      for id in state.sinks.keys { state.sinks[id]?.reopen = true }
    }
    queue.wake()
  }

  /// Waits until all that was handed over before is written or lost.
  /// - Parameter timeout: nanoseconds.
  /// - Returns: false when the time ran out.
  @discardableResult
  public func flush(timeout: UInt64) -> Bool {
    let goals = queue.state.withLock { $0.sinks.mapValues(\.queued) }
    queue.wake()
    return queue.state.wait(until: MonotonicTime.nanoseconds() &+ timeout) { state in
      state.stopped || goals.allSatisfy { id, goal in state.sinks[id].map { $0.finished >= goal } ?? true }
    }
  }

  /// Writes what it can within `timeout` nanoseconds, then ends the thread; later lines are dropped.
  public func stop(timeout: UInt64) {
    let deadline = MonotonicTime.nanoseconds() &+ timeout
    queue.state.withLock { $0.stopAt = $0.stopAt ?? deadline }
    queue.wake()
    // A disk that hangs holds the thread beyond the deadline; nobody waits for that.
    _ = queue.state.wait(until: deadline &+ 200_000_000) { $0.stopped }
  }

  /// What became of the lines, by sink.
  public var counts: [(target: LogTarget, kind: LogKind, counts: LogCounts)] {
    queue.state.withLock { state in
      state.sinks.sorted { $0.key < $1.key }.map { ($0.value.target, $0.value.kind, $0.value.counts) }
    }
  }

  private static func start(_ queue: LogQueue) throws(SystemError) {
    // The thread is to receive no signal, and a closed pipe is to be an error and no SIGPIPE; it inherits this mask.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    let status = pthread_sigmask(SIG_BLOCK, &all, &before)
    if status != 0 { throw SystemError(operation: "pthread_sigmask", errno: status) }
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    // It ends by itself, after `stop`.
    _ = try EventLoopThread(name: "weft-log", stackSize: 256 << 10) {
      var loop = LogWriterLoop(queue: queue)
      loop.run()
    }
  }
}

extension LogQueue.State {
  /// A further handle of an open sink, or nil.
  mutating func take(_ target: LogTarget, _ kind: LogKind) -> Int? {
    guard let id = sinks.first(where: { $0.value.target == target && $0.value.kind == kind })?.key else { return nil }
    sinks[id]?.handles += 1
    return id
  }
}

/// A way to one target through the log writer. Its queue and descriptor close after the last of them is gone and what
/// they were given is written.
public final class LogSink: Sendable {
  let queue: LogQueue
  let id: Int

  init(queue: LogQueue, id: Int) {
    self.queue = queue
    self.id = id
  }

  deinit {
    let id = id
    queue.state.withLock { $0.sinks[id]?.handles -= 1 }
    queue.wake()
  }

  /// What became of its lines.
  public var counts: LogCounts {
    let id = id
    return queue.state.withLock { $0.sinks[id]?.counts ?? LogCounts() }
  }

  /// Hands one line over, newline included, without waiting: for logs that have no buffer of their own. Any thread.
  public func write(line: Bytes) { queue.submit(line: line, to: id) }

  /// Counts a line that was written past the queue, or lost on the way.
  func countWritten(line written: Bool) {
    let id = id
    queue.state.withLock { state in
      if written {
        state.sinks[id]?.counts.written &+= 1
      } else {
        state.sinks[id]?.counts.writeError &+= 1
      }
    }
  }

  func countTooLong() {
    let id = id
    queue.state.withLock { $0.sinks[id]?.counts.tooLong &+= 1 }
  }
}
