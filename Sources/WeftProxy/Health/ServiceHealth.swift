import WeftConfig
import WeftIO

/// How a service's endpoints are judged, and what is known of them. Belongs to a `ServiceSpec`; what is known is carried
/// from one to the next.
final class ServiceHealth: Sendable {
  /// nil: endpoints are not asked.
  let check: HealthCheckSettings?
  /// nil: endpoints are not judged by their answers.
  let outlier: OutlierDetection?
  /// Per cent of endpoints that must be available for the others to be left out.
  let panicThreshold: Int
  /// As many as the service has addresses, in their order.
  let endpoints: [EndpointHealth]
  let counts: HealthCounts

  /// - Returns: nil when nothing is configured that could find an endpoint unwell.
  /// - Parameter previous: what was known so far.
  init?(_ traffic: TrafficSettings, _ addresses: [ServiceSpec.Address], previous: ServiceHealth?) {
    if traffic.healthCheck == nil && traffic.outlierDetection == nil { return nil }
    check = traffic.healthCheck
    outlier = traffic.outlierDetection.map(OutlierDetection.init)
    panicThreshold = traffic.panicThreshold
    let counts = previous?.counts ?? HealthCounts()
    self.counts = counts
    let known = Dictionary(
      (previous?.endpoints ?? []).map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
    endpoints = addresses.map { known[$0.address] ?? EndpointHealth($0.address, counts) }
  }

  /// Whether the other one says the same of the same endpoints.
  func hasSameContent(as other: ServiceHealth) -> Bool {
    check == other.check && outlier == other.outlier && panicThreshold == other.panicThreshold
      && endpoints.map(ObjectIdentifier.init) == other.endpoints.map(ObjectIdentifier.init)
  }

  /// Too few of `total` endpoints are available: all of them get requests.
  @inline(__always)
  func isPanic(of total: Int) -> Bool {
    let available = total - counts.unavailable.load(ordering: .relaxed)
    return available * 100 < panicThreshold * total
  }

  /// Takes the place of what was in force so far.
  func enter(replacing previous: ServiceHealth?) {
    let mine = Set(endpoints.map(ObjectIdentifier.init))
    for endpoint in previous?.endpoints ?? [] where !mine.contains(ObjectIdentifier(endpoint)) { endpoint.remove() }
    for endpoint in endpoints {
      if check == nil { endpoint.setCheckFailed(false) }
      if outlier == nil { endpoint.endEjection() }
    }
  }
}

extension OutlierDetection {
  init(_ settings: OutlierDetectionSettings) {
    consecutive5xx = UInt32(clamping: settings.consecutive5xx)
    consecutiveGatewayErrors = UInt32(clamping: settings.consecutiveGatewayErrors)
    baseEjectionTime = settings.baseEjectionTime.timer
    maxEjectionTime = settings.maxEjectionTime.timer
    maxEjectionPercent = settings.maxEjectionPercent
  }
}
