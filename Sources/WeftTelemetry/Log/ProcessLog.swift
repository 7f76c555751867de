import Glibc
import Logging
import Synchronization
import WeftIO

/// What the process says of itself, on stderr: aligned text or JSON lines.
///
/// One object for the process; its level may change at any time, and all loggers made from it follow. On a worker's
/// thread lines go through the log writer's queue, so that a slow reader of stderr never holds up traffic; other threads
/// write at once, so that nothing is lost when the process ends right after.
public final class ProcessLog: Sendable {
  public enum Format: String, CaseIterable, Sendable {
    case text, json
  }

  public let format: Format
  let colour: Bool
  private let fd: Int32
  private let sink: LogSink?
  private let levelIndex: Atomic<Int>

  /// - Parameters:
  ///   - writer: carries the workers' lines; without one every thread writes for itself.
  ///   - colour: nil for colour on a terminal, unless NO_COLOR is set (https://no-color.org).
  public convenience init(
    format: Format = .text, level: Logger.Level = .info, writer: LogWriter? = nil, colour: Bool? = nil
  ) throws {
    let noColour = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    self.init(
      format: format, level: level, fd: STDERR_FILENO, sink: try writer?.sink(.stderr, kind: .process),
      colour: colour ?? (!noColour && isatty(STDERR_FILENO) == 1))
  }

  init(format: Format, level: Logger.Level, fd: Int32, sink: LogSink?, colour: Bool) {
    self.format = format
    self.colour = colour && format == .text
    self.fd = fd
    self.sink = sink
    levelIndex = Atomic(ProcessLog.index(of: level))
  }

  /// The least severe level that is written.
  public var level: Logger.Level {
    get { Logger.Level.allCases[levelIndex.load(ordering: .relaxed)] }
    set { levelIndex.store(ProcessLog.index(of: newValue), ordering: .relaxed) }
  }

  private static func index(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }

  /// A logger of this log.
  /// - Parameter label: names the part of the program, such as `config`; it stands in every line.
  public func logger(_ label: String) -> Logger {
    Logger(label: label) { ProcessLogHandler(log: self, label: $0) }
  }

  /// Makes this the log of every `Logger(label:)`. Once in a process.
  public func bootstrap() {
    LoggingSystem.bootstrap { ProcessLogHandler(log: self, label: $0) }
  }

  // MARK: Workers

  /// Declares the calling thread a worker: what it logs from now on is queued, never written on the spot.
  public static func enterWorker() {
    guard let key = workerKey else { return }
    pthread_setspecific(key, UnsafeRawPointer(bitPattern: 1))
  }

  private static let workerKey: pthread_key_t? = {
    var key = pthread_key_t()
    return pthread_key_create(&key, nil) == 0 ? key : nil
  }()

  private static var isWorker: Bool { workerKey.map { pthread_getspecific($0) != nil } ?? false }

  /// Longest that a thread which is no worker waits for a reader of stderr, in milliseconds; then the line is dropped.
  private static let patience: Int32 = 1000

  /// Writes one line, which ends with a newline.
  func write(_ line: Bytes) {
    if let sink, ProcessLog.isWorker {
      sink.write(line: line)
      return
    }
    var offset = 0
    while offset < line.count {
      var wait = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
      let ready = poll(&wait, 1, ProcessLog.patience)
      if ready < 0 && errno == EINTR { continue }
      if ready <= 0 { break }
      let n = Glibc.write(fd, line.base + offset, line.count - offset)
      if n < 0 && (errno == EINTR || errno == EAGAIN) { continue }
      if n < 0 { break }
      offset += n
    }
    sink?.countWritten(line: offset == line.count)
  }
}
