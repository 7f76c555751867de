import WeftIO

/// Memory for log lines on their way to the writer. One owner at a time: the thread that fills it, then the queue, then
/// the writer, which gives it back to the pool.
struct LogChunk: @unchecked Sendable {
  static let capacity = 64 << 10

  let base: MutableBytePointer
  var count = 0
  var lines = 0

  init() { base = .allocate(capacity: LogChunk.capacity) }

  var space: Int { LogChunk.capacity - count }

  func free() { base.deallocate() }
}
