import Logging
import WeftIO

/// A logger for messages that traffic can cause any number of times: of each message a few are written in a period, the
/// others are counted, and the next one that is written says how many were left out (`suppressed=N`).
///
/// Messages are told apart by where they stand in the source, or by a key. Any thread may use it.
public final class RateLimitedLog: Sendable {
  private struct Entry: Sendable {
    var periodStart: UInt64
    var written = 0
    var suppressed: UInt64 = 0
  }

  /// Messages that are told apart; beyond that the one that was quiet for longest is forgotten.
  static let maxEntries = 256

  private let logger: Logger
  private let period: UInt64
  private let burst: Int
  private let now: @Sendable () -> UInt64
  private let entries = Locked<[String: Entry]>([:])

  /// - Parameters:
  ///   - period: nanoseconds.
  ///   - burst: messages of a kind in a period.
  ///   - now: a clock that only goes forward, in nanoseconds.
  public init(
    _ logger: Logger, period: UInt64 = 10_000_000_000, burst: Int = 5,
    now: @escaping @Sendable () -> UInt64 = { MonotonicTime.nanoseconds() }
  ) {
    self.logger = logger
    self.period = period
    self.burst = max(burst, 1)
    self.now = now
  }

  /// Logs the message, or counts it. A message that is not written is not built either.
  /// - Parameter key: tells messages apart that one place logs, such as a script's name; taken with the place.
  public func log(
    _ level: Logger.Level, _ message: @autoclosure () -> Logger.Message, key: String = "",
    metadata: @autoclosure () -> Logger.Metadata = [:], file: String = #fileID, function: String = #function,
    line: UInt = #line
  ) {
    if level < logger.logLevel { return }
    guard let suppressed = admit("\(file):\(line) \(key)") else { return }
    var metadata = metadata()
    if suppressed > 0 { metadata["suppressed"] = .stringConvertible(suppressed) }
    logger.log(level: level, message(), metadata: metadata, file: file, function: function, line: line)
  }

  var entryCount: Int { entries.withLock { $0.count } }

  /// How many were left out since the last one written, or nil when this one is to be left out as well.
  private func admit(_ key: String) -> UInt64? {
    let now = now()
    return entries.withLock { entries in
      if entries[key] == nil, entries.count >= RateLimitedLog.maxEntries,
        let oldest = entries.min(by: { $0.value.periodStart < $1.value.periodStart })
      {
        entries[oldest.key] = nil
      }
      var entry = entries[key] ?? Entry(periodStart: now)
      defer { entries[key] = entry }
      if now &- entry.periodStart >= period {
        entry.periodStart = now
        entry.written = 0
      }
      if entry.written >= burst {
        entry.suppressed &+= 1
        return nil
      }
      entry.written += 1
      defer { entry.suppressed = 0 }
      return entry.suppressed
    }
  }
}
