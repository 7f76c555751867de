import Logging
import WeftBundle
import WeftFilter

/// One use of a program in the configuration: what its filters on all workers share.
final class LuaFilterUse: Sendable {
  let program: LuaProgram
  let settings: ValueTape?
  let onError: LuaFilterType.ErrorPolicy
  let trip: LuaTripPolicy
  /// Whether the route is found anew after `on_request`, without the script's asking for it.
  let clearsRoute: Bool
  /// What the script may call, by the names that it uses.
  let services: [String: ServiceReference]
  let filterName: String
  let logger: Logger
  let metrics: LuaMetrics

  init(
    program: LuaProgram, settings: ValueTape?, onError: LuaFilterType.ErrorPolicy, trip: LuaTripPolicy,
    clearsRoute: Bool, services: [String: ServiceReference], filterName: String, logger: Logger, metrics: LuaMetrics
  ) {
    self.program = program
    self.settings = settings
    self.onError = onError
    self.trip = trip
    self.clearsRoute = clearsRoute
    self.services = services
    self.filterName = filterName
    self.logger = logger
    self.metrics = metrics
  }
}
