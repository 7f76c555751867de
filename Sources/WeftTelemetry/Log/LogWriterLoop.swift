import Glibc
import WeftIO

/// What the writer's thread does: take a chunk of each sink, write what the descriptors take, wait for more.
struct LogWriterLoop {
  /// A chunk that is being written.
  private struct Current {
    let chunk: LogChunk
    var offset = 0

    /// Lines that are out. Counted only where not all are.
    var linesWritten: Int {
      if offset == chunk.count { return chunk.lines }
      var lines = 0
      for i in 0..<offset where chunk.base[i] == 0x0a { lines += 1 }
      return min(lines, chunk.lines)
    }
  }

  private struct Output {
    var descriptor: LogDescriptor
    var current: Current?
    /// The last byte written ended no line, because the rest was lost.
    var midLine = false
  }

  private let queue: LogQueue
  private var outputs: [Int: Output] = [:]

  init(queue: LogQueue) { self.queue = queue }

  mutating func run() {
    while true {
      queue.clearWake()
      prepare()
      var blocked: [pollfd] = []
      for id in outputs.keys.sorted() where !drain(id) {
        if let output = outputs[id] {
          blocked.append(pollfd(fd: output.descriptor.fd, events: Int16(POLLOUT), revents: 0))
        }
      }
      let stopAt = queue.state.withLock { $0.stopAt }
      if let stopAt, blocked.isEmpty || MonotonicTime.nanoseconds() >= stopAt {
        end()
        return
      }
      blocked.append(pollfd(fd: queue.wakeDescriptor, events: Int16(POLLIN), revents: 0))
      // While it is to stop, the deadline must be looked at; else a change wakes it.
      _ = poll(&blocked, nfds_t(blocked.count), stopAt == nil ? -1 : 20)
    }
  }

  /// Follows sinks that came, went or are to be opened again.
  private mutating func prepare() {
    let sinks = queue.state.withLock { state in
      defer { for id in state.sinks.keys { state.sinks[id]?.reopen = false } }
      return state.sinks.mapValues { (target: $0.target, fd: $0.fd, reopen: $0.reopen) }
    }
    for (id, sink) in sinks {
      if outputs[id] == nil { outputs[id] = Output(descriptor: LogDescriptor(fd: sink.fd)) }
      guard sink.reopen, case .file = sink.target else { continue }
      do {
        let fd = try sink.target.open()
        outputs[id]?.midLine = false
        queue.state.withLock { $0.sinks[id]?.fd = fd }
        outputs[id]?.descriptor = LogDescriptor(fd: fd)
        sink.target.close(sink.fd)
      } catch {
        queue.state.withLock { $0.sinks[id]?.counts.errors &+= 1 }
      }
    }
  }

  /// Writes all that waits for a sink, and closes it once nobody uses it; false when its descriptor takes no more.
  private mutating func drain(_ id: Int) -> Bool {
    while true {
      if outputs[id]?.current == nil {
        let next: (chunk: LogChunk?, close: (LogTarget, Int32)?) = queue.state.withLock { state in
          guard let sink = state.sinks[id] else { return (nil, nil) }
          if !sink.chunks.isEmpty { return (state.sinks[id]?.chunks.removeFirst(), nil) }
          if sink.handles > 0 { return (nil, nil) }
          state.sinks[id] = nil
          return (nil, (sink.target, sink.fd))
        }
        if let (target, fd) = next.close {
          target.close(fd)
          outputs[id] = nil
          return true
        }
        guard let chunk = next.chunk else { return true }
        outputs[id]?.current = Current(chunk: chunk)
      }
      if !advance(id) { return false }
    }
  }

  /// Writes the current chunk to its end or to a failure; false when the descriptor takes no more.
  private mutating func advance(_ id: Int) -> Bool {
    guard var output = outputs[id], var current = output.current else { return true }
    defer { outputs[id] = output }
    while current.offset < current.chunk.count {
      if output.midLine {
        // What was lost left half a line behind: the next one starts on a line of its own.
        var newline: UInt8 = 0x0a
        switch output.descriptor.write(&newline, 1) {
        case .wrote(let n): output.midLine = n == 0
        case .full:
          output.current = current
          return false
        case .failed:
          finish(id, current, failed: true, &output)
          return true
        }
        continue
      }
      let from = BytePointer(current.chunk.base) + current.offset
      switch output.descriptor.write(from, current.chunk.count - current.offset) {
      case .wrote(let n): current.offset += n
      case .full:
        output.current = current
        return false
      case .failed:
        finish(id, current, failed: true, &output)
        return true
      }
    }
    finish(id, current, failed: false, &output)
    return true
  }

  private mutating func finish(_ id: Int, _ current: Current, failed: Bool, _ output: inout Output) {
    output.current = nil
    if failed, current.offset > 0, current.chunk.base[current.offset - 1] != 0x0a { output.midLine = true }
    let written = current.linesWritten
    queue.state.withLock { state in
      state.sinks[id]?.finished &+= 1
      state.sinks[id]?.counts.written &+= UInt64(written)
      if failed {
        state.sinks[id]?.counts.errors &+= 1
        state.sinks[id]?.counts.writeError &+= UInt64(current.chunk.lines - written)
      }
    }
    queue.state.broadcast()
    queue.recycle(current.chunk)
  }

  /// The time is up, or all is written: what is left is lost.
  private mutating func end() {
    for (id, output) in outputs {
      guard let current = output.current else { continue }
      queue.state.withLock {
        $0.sinks[id]?.finished &+= 1
        $0.sinks[id]?.counts.written &+= UInt64(current.linesWritten)
        $0.sinks[id]?.counts.writeError &+= UInt64(current.chunk.lines - current.linesWritten)
      }
      queue.recycle(current.chunk)
    }
    outputs.removeAll()
    queue.state.withLock { state in
      for id in state.sinks.keys {
        for chunk in state.sinks[id]?.chunks ?? [] {
          state.sinks[id]?.counts.writeError &+= UInt64(chunk.lines)
          chunk.free()
        }
        state.sinks[id]?.chunks.removeAll()
      }
      state.stopped = true
    }
    queue.state.broadcast()
  }
}
