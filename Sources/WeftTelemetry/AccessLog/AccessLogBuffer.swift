import WeftIO

/// One worker's access log: formats lines into memory of its own and hands over 64 KiB at a time.
///
/// Not to be shared. Writing a line takes no lock, allocates nothing (but a chunk, now and then) and never waits: lines
/// that the log writer cannot take are dropped and counted. Call `flush` about once a second, and when the worker ends;
/// else lines wait until the chunk is full.
public final class AccessLogBuffer {
  public let format: AccessLogFormat
  public let sink: LogSink
  private let caches: UnsafeMutablePointer<TimeCache>
  private var chunk: LogChunk?

  public init(format: AccessLogFormat, sink: LogSink) {
    self.format = format
    self.sink = sink
    caches = .allocate(capacity: max(format.times.count, 1))
    for i in 0..<format.times.count { (caches + i).initialize(to: TimeCache()) }
  }

  deinit {
    flush()
    for i in 0..<format.times.count { caches[i].free() }
    caches.deallocate()
  }

  /// Lines that have not been handed over.
  public var pendingLines: Int { chunk?.lines ?? 0 }

  /// Writes the line of one finished exchange.
  /// - Parameter fields: looks up headers that the format names.
  public func write<Fields: AccessFields>(_ record: borrowing AccessRecord, _ fields: Fields) {
    if append(record, fields) { return }
    // It did not fit behind the others.
    if pendingLines > 0 {
      flush()
      if append(record, fields) { return }
    }
    sink.countTooLong()
  }

  private func append<Fields: AccessFields>(_ record: borrowing AccessRecord, _ fields: Fields) -> Bool {
    var chunk = self.chunk ?? sink.queue.takeChunk()
    defer { self.chunk = chunk }
    var out = ByteWriter(chunk.base + chunk.count, chunk.space)
    format.write(record, fields, caches: caches, to: &out)
    if out.overflow { return false }
    chunk.count += out.count
    chunk.lines += 1
    return true
  }

  /// Hands over what has been written. Without lines it gives its memory back.
  public func flush() {
    guard let chunk else { return }
    self.chunk = nil
    if chunk.lines == 0 || !sink.queue.submit(chunk, to: sink.id) { sink.queue.recycle(chunk) }
  }
}
