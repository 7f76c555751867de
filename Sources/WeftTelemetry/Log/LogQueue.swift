import CLinux
import Glibc
import Synchronization
import WeftIO

/// What kind of log a sink carries; its metrics are named by it.
public enum LogKind: Sendable, Hashable {
  case access
  case process
}

/// What became of a sink's lines.
public struct LogCounts: Sendable, Equatable {
  public var written: UInt64 = 0
  /// Lost because the queue was full: disk or reader are too slow.
  public var queueFull: UInt64 = 0
  /// Lost because a write failed.
  public var writeError: UInt64 = 0
  /// Lost because a line was longer than 64 KiB.
  public var tooLong: UInt64 = 0
  /// Writes and reopens that failed.
  public var errors: UInt64 = 0
}

/// Queues of chunks between the threads that log and the one that writes. A place in a queue is never waited for.
final class LogQueue: Sendable {
  struct Sink: Sendable {
    let target: LogTarget
    let kind: LogKind
    var fd: Int32
    var chunks: [LogChunk] = []
    /// `LogSink`s that name it.
    var handles = 1
    /// Chunks ever queued, and chunks that left: what was queued before a moment is written when `finished` reaches the
    /// `queued` of that moment.
    var queued: UInt64 = 0
    var finished: UInt64 = 0
    var reopen = false
    var counts = LogCounts()
  }

  struct State: Sendable {
    var sinks: [Int: Sink] = [:]
    var nextID = 0
    var pool: [LogChunk] = []
    /// Monotonic time to give up what is left; set once the writer is to end.
    var stopAt: UInt64?
    var stopped = false
  }

  /// Chunks that a sink may hold: 4 MiB.
  static let maxChunks = 64
  private static let pooledChunks = 16

  let state = Locked(State())
  /// Tells the writer that there is work.
  let wakeDescriptor: Int32
  private let woken = Atomic(false)

  init() throws(SystemError) {
    wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    if wakeDescriptor < 0 { throw SystemError(operation: "eventfd", errno: errno) }
  }

  deinit {
    close(wakeDescriptor)
    state.withLock { state in
      for chunk in state.pool { chunk.free() }
      for sink in state.sinks.values {
        for chunk in sink.chunks { chunk.free() }
        sink.target.close(sink.fd)
      }
    }
  }

  func wake() {
    if woken.exchange(true, ordering: .acquiringAndReleasing) { return }
    var one: UInt64 = 1
    // Fails only when the counter is full, and then the writer is awake.
    _ = write(wakeDescriptor, &one, 8)
  }

  /// To be called by the writer before it looks for work.
  func clearWake() {
    var count: UInt64 = 0
    _ = read(wakeDescriptor, &count, 8)
    _ = woken.exchange(false, ordering: .acquiringAndReleasing)
  }

  func takeChunk() -> LogChunk { state.withLock { $0.pool.popLast() } ?? LogChunk() }

  func recycle(_ chunk: LogChunk) {
    var chunk = chunk
    chunk.count = 0
    chunk.lines = 0
    let kept = state.withLock { state in
      if state.pool.count >= LogQueue.pooledChunks { return false }
      state.pool.append(chunk)
      return true
    }
    if !kept { chunk.free() }
  }

  /// Hands a chunk over; when the queue is full its lines are counted as lost and false says so.
  func submit(_ chunk: LogChunk, to sink: Int) -> Bool {
    let taken = state.withLock { state in
      guard var entry = state.sinks[sink] else { return false }
      defer { state.sinks[sink] = entry }
      if entry.chunks.count >= LogQueue.maxChunks || state.stopped {
        entry.counts.queueFull &+= UInt64(chunk.lines)
        return false
      }
      entry.chunks.append(chunk)
      entry.queued &+= 1
      return true
    }
    if taken { wake() }
    return taken
  }

  /// Hands one line over, into the last chunk that waits when it has room.
  func submit(line: Bytes, to sink: Int) {
    if line.count > LogChunk.capacity {
      state.withLock { $0.sinks[sink]?.counts.tooLong &+= 1 }
      return
    }
    state.withLock { state in
      guard let entry = state.sinks[sink] else { return }
      if let last = entry.chunks.last, last.space >= line.count {
        // The writer takes whole chunks out of the queue, so this one is still the queue's own.
      } else if entry.chunks.count >= LogQueue.maxChunks || state.stopped {
        state.sinks[sink]?.counts.queueFull &+= 1
        return
      } else {
        state.sinks[sink]?.chunks.append(state.pool.popLast() ?? LogChunk())
        state.sinks[sink]?.queued &+= 1
      }
      guard let i = state.sinks[sink]?.chunks.indices.last else { return }
      state.sinks[sink]?.chunks[i].append(line)
    }
    wake()
  }
}

extension LogChunk {
  /// The line must fit.
  fileprivate mutating func append(_ line: Bytes) {
    (base + count).update(from: line.base, count: line.count)
    count += line.count
    lines += 1
  }
}
