import WeftFilter
import WeftIO
import WeftTelemetry

/// The access logs of one worker.
final class WorkerAccessLog {
  var isEmpty: Bool { true }
  func write(_ x: ExchangeRef, status: Int, now: UInt64) {}
  func tick(now: UInt64) {}
  func flush() {}
}
