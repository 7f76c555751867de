import Foundation
import Synchronization

/// How long changes took: from when they were made, as their text says, to when a proxy has acknowledged them.
final class Recorder: Sendable {
  /// Stands in what changes, before the time at which it was changed (nanoseconds of the monotonic clock) and `"`.
  static let mark = Data(#""sent-ns":""#.utf8)

  private let lags = Mutex<[String: [UInt64]]>([:])

  /// When the resource was changed; nil: it does not say so.
  static func sent(_ body: Data) -> UInt64? {
    guard let place = body.range(of: mark) else { return nil }
    let digits = body[place.upperBound...].prefix(20).prefix { (0x30...0x39).contains($0) }
    return UInt64(String(decoding: digits, as: UTF8.self))
  }

  func add(_ kind: String, sent: UInt64) {
    let now = Clock.nanoseconds
    lags.withLock { $0[kind, default: []].append(now > sent ? (now - sent) / 1_000 : 0) }
  }

  /// Waits for so many, and takes what there is.
  /// - Returns: microseconds, sorted.
  func collect(_ kind: String, _ count: Int, within seconds: Double) async -> [UInt64] {
    let start = ContinuousClock.now
    while Clock.seconds(start) < seconds, lags.withLock({ ($0[kind] ?? []).count }) < count {
      try? await Task.sleep(for: .milliseconds(10))
    }
    return lags.withLock { $0.removeValue(forKey: kind) ?? [] }.sorted()
  }
}
