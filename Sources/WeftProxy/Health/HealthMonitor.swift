import Logging
import WeftConfig
import WeftIO

/// Asks the endpoints of services with a health check, and ends ejections. On the supervisor's loop, away from the data
/// path; workers read the outcome from `EndpointHealth`.
final class HealthMonitor {
  private let loop: EventLoop
  private let log: Logger
  private let status: StatusMetrics
  private var targets: [ObjectIdentifier: Target] = [:]
  private var judged: [ServiceSpec] = []
  private var sweeps = false
  private var probing = 0

  /// Checks under way at once; more wait a moment.
  private static let probeLimit = 256
  /// Milliseconds between two looks for ejections whose time is over.
  private static let sweepInterval: UInt64 = 200

  /// An endpoint that is asked.
  final class Target {
    fileprivate(set) var service: ServiceSpec
    fileprivate(set) var check: HealthCheckSettings
    let health: EndpointHealth
    fileprivate var timer: EventLoop.TimerID?
    fileprivate var probe: HealthProbe?
    fileprivate var successes = 0
    fileprivate var failures = 0
    fileprivate var isGone = false
    /// What the last check found; nil before the first.
    fileprivate(set) var last: HealthProbe.Outcome?

    fileprivate init(_ service: ServiceSpec, _ check: HealthCheckSettings, _ health: EndpointHealth) {
      self.service = service
      self.check = check
      self.health = health
    }
  }

  init(loop: EventLoop, log: Logger, status: StatusMetrics) {
    self.loop = loop
    self.log = log
    self.status = status
  }

  /// The services in force. Endpoints that were known before keep their state and their turn.
  func watch(_ services: [ServiceSpec]) {
    var left = targets
    for service in services {
      guard let health = service.health, let check = health.check else { continue }
      for endpoint in health.endpoints {
        let id = ObjectIdentifier(endpoint)
        if let known = left.removeValue(forKey: id) {
          known.service = service
          if known.check != check {
            known.check = check
            schedule(known, after: stagger(check))
          }
        } else if targets[id] == nil {
          let target = Target(service, check, endpoint)
          targets[id] = target
          schedule(target, after: stagger(check))
        }
      }
    }
    for (id, target) in left {
      target.isGone = true
      if let timer = target.timer { loop.cancel(timer) }
      target.probe?.cancel()
      targets[id] = nil
    }
    judged = services.filter { $0.health?.outlier != nil }
    if !judged.isEmpty && !sweeps { sweep() }
  }

  /// What is known of an endpoint's checks.
  func target(_ health: EndpointHealth) -> Target? { targets[ObjectIdentifier(health)] }

  // MARK: Checks

  /// The first checks come soon, and not all at once.
  private func stagger(_ check: HealthCheckSettings) -> UInt64 {
    .random(in: 0...min(UInt64(max(check.interval.milliseconds, 0)) / 10, 1_000))
  }

  private func schedule(_ target: Target, after milliseconds: UInt64) {
    if let timer = target.timer { loop.cancel(timer) }
    target.timer = loop.after(milliseconds) { [weak self, weak target] in
      guard let self, let target, !target.isGone else { return }
      target.timer = nil
      begin(target)
    }
  }

  private func begin(_ target: Target) {
    if target.probe != nil { return }
    if probing >= Self.probeLimit { return schedule(target, after: 50) }
    probing += 1
    let probe = HealthProbe(target.check, target.service, target.health.address, loop) { [weak self, weak target] in
      self?.probing -= 1
      guard let self, let target else { return }
      target.probe = nil
      if target.isGone { return }
      ended(target, $0)
    }
    target.probe = probe
    probe.start()
  }

  private func ended(_ target: Target, _ outcome: HealthProbe.Outcome) {
    let check = target.check
    let isFirst = target.last == nil
    target.last = outcome
    status.checked(target.service.name, outcome.metric)
    let wasFailed = target.health.hasFailedCheck
    if case .success = outcome {
      target.successes += 1
      target.failures = 0
      if wasFailed && target.successes >= check.healthyThreshold {
        target.health.setCheckFailed(false)
        log.notice("\(target.health.address) of \(target.service.name) is healthy again")
      }
    } else {
      target.failures += 1
      target.successes = 0
      // Of an endpoint that nothing is known of, the first word counts.
      if !wasFailed && (isFirst || target.failures >= check.unhealthyThreshold) {
        target.health.setCheckFailed(true)
        log.warning("\(target.health.address) of \(target.service.name) is unhealthy: \(outcome)")
      }
    }
    let interval = UInt64(max(check.interval.milliseconds, 1))
    let jitter = interval * UInt64(check.jitter) / 100
    schedule(target, after: interval - jitter / 2 + (jitter == 0 ? 0 : .random(in: 0...jitter)))
  }

  // MARK: Ejections

  private func sweep() {
    sweeps = true
    let now = MonotonicTime.milliseconds()
    for service in judged {
      guard let health = service.health, health.counts.ejected.load(ordering: .relaxed) > 0 else { continue }
      for endpoint in health.endpoints where endpoint.endEjection(now: now) {
        log.notice("\(endpoint.address) of \(service.name) takes requests again")
      }
    }
    loop.after(Self.sweepInterval) { [weak self] in
      guard let self else { return }
      if judged.isEmpty { sweeps = false } else { sweep() }
    }
  }
}
