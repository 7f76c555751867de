import Logging
import WeftTelemetry

/// What the states of a program share with the rest of the process.
struct LuaSurroundings: Sendable {
  let shared: SharedSpace
  /// Bytes of the shared dictionaries that the bundle's manifest declares, by name.
  let sharedSizes: [String: Int]
  let registry: MetricsRegistry
  let metrics: LuaMetrics
  let logger: Logger
}
