import Logging
import WeftIO

/// swift-log's way into a `ProcessLog`.
public struct ProcessLogHandler: LogHandler {
  private let log: ProcessLog
  private let label: String
  private var ownLevel: Logger.Level?
  public var metadata = Logger.Metadata()
  public var metadataProvider: Logger.MetadataProvider?

  init(log: ProcessLog, label: String) {
    self.log = log
    self.label = label
  }

  /// The process' level, which may change at any time, unless this logger was given one of its own.
  public var logLevel: Logger.Level {
    get { ownLevel ?? log.level }
    set { ownLevel = newValue }
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var all = metadataProvider?.get() ?? [:]
    all.merge(metadata) { $1 }
    if let own = event.metadata { all.merge(own) { $1 } }
    if let error = event.error { all["error"] = .string("\(error)") }
    let line = ProcessLogLine(
      time: UnixTime.nanoseconds(), level: event.level, label: label, message: event.message.description,
      metadata: all.sorted { $0.key < $1.key })
    let memory = MutableBytePointer.allocate(capacity: LogChunk.capacity)
    defer { memory.deallocate() }
    var out = ByteWriter(memory, LogChunk.capacity)
    line.append(to: &out, log.format, colour: log.colour)
    if out.overflow {
      out = ByteWriter(memory, LogChunk.capacity)
      line.cut.append(to: &out, log.format, colour: log.colour)
    }
    log.write(out.bytes)
  }
}
