import Foundation
import WeftProtocol

/// The stream to the control plane.
extension AgentLoop {
  func connected(_ number: Int, _ outgoing: OutgoingMessages) {
    stream = number
    self.outgoing = outgoing
    bundles.retry()
    subscribed = []
    answered = []
    nonces = DeltaNonces()
    outgoing.send {
      $0.hello = .with { hello in
        hello.id = options.id
        hello.kind = options.kind == .gateway ? .gateway : .sidecar
        hello.namespace = options.namespace
        hello.name = options.name
        hello.instance = options.instance
        hello.version = options.version
        hello.zone = options.zone
        hello.labels = options.labels
      }
    }
    reportedBundles = [:]
    reportBundles()
    update()
  }

  func disconnected() {
    outgoing?.finish()
    outgoing = nil
    telemetryInterval = 0
  }

  func received(_ message: Weft_Discovery_V1_ControlMessage) {
    switch message.message {
    case .welcome(let welcome):
      log.notice("connected to the control plane (\(welcome.replica), trust domain \(welcome.trustDomain))")
      telemetryInterval = welcome.telemetryIntervalMs
      reportWorkload()
      telemetrySoon()
    case .delta(let delta): received(delta)
    case .goodbye(let goodbye):
      log.notice("the control plane says goodbye: \(goodbye.reason)")
      outgoing?.finish()
    case nil: break
    }
  }

  private func received(_ delta: Weft_Discovery_V1_Delta) {
    for resource in delta.resources {
      let key = ResourceKey(type: delta.type, name: resource.name)
      let made = HeldResource(
        type: delta.type, name: resource.name, version: resource.version, body: Array(resource.body))
      if let made {
        held.put(made)
      } else {
        rejections[key] = ResourceRejection(version: resource.version, message: "the resource is no JSON")
      }
    }
    for name in delta.removed { held.remove(delta.type, name) }
    for name in delta.answered { answered.insert(Interest(type: delta.type, name: name)) }
    revision = max(revision, delta.revision)
    nonces.received(delta.type, delta.nonce)
    update()
    if isComplete {
      settleSoon()
    } else {
      // The rest of the closure may need another delta of the same type.
      acknowledge()
    }
  }

  /// Subscribes to what the closure has come to need, and drops what it needs no more.
  func update() {
    let closure = Closure(
      options, held: held, demanded: demand.names, bundleServices: bundles.services(held))
    let interests = closure.interests
    guard let outgoing else { return }
    let new = Dictionary(grouping: interests.subtracting(subscribed), by: \.type)
    let gone = Dictionary(grouping: subscribed.subtracting(interests), by: \.type)
    let known = Set(subscribed.map(\.type))
    for type in Set(new.keys).union(gone.keys).sorted() {
      outgoing.send {
        $0.subscription = .with { subscription in
          subscription.type = type
          subscription.subscribe = (new[type] ?? []).map(\.name).sorted()
          subscription.unsubscribe = (gone[type] ?? []).map(\.name).sorted()
          if !known.contains(type) { subscription.held = held.versions(type) }
        }
      }
    }
    subscribed = interests
    answered.formIntersection(interests)
    held.keep(interests)
    isComplete = answered.count == interests.count
    if isComplete { settleSoon() }
  }

  /// Answers every delta that waits for it, with what is wrong with resources of its type, and tells of refusals that
  /// have come or gone since.
  func acknowledge() {
    guard let outgoing else { return }
    var byType: [String: [String: ResourceRejection]] = [:]
    let problems = rejections.merging(SetAttempt.rejections(troubles, lastGood)) { refused, _ in refused }
    for (key, rejection) in problems { byType[key.type, default: [:]][key.name] = rejection }
    for answer in nonces.due(byType) {
      outgoing.send {
        $0.acknowledgement = .with { acknowledgement in
          acknowledgement.type = answer.type
          acknowledgement.nonce = answer.nonce
          acknowledgement.errors = (byType[answer.type] ?? [:]).sorted { $0.key < $1.key }.map { name, rejection in
            .with { error in
              error.name = name
              error.version = rejection.version
              error.message = rejection.message
            }
          }
          // An error without a message takes back what was said of the resource.
          acknowledgement.errors += answer.withdrawn.map { name in .with { $0.name = name } }
        }
      }
    }
  }

  // MARK: The workload

  /// Tells the control plane how the workload is, once the proxy serves.
  func reportWorkload() {
    guard let workload = options.workload, let outgoing, proxy != nil, let isAppHealthy else { return }
    outgoing.send {
      $0.workload = .with { report in
        report.isServing = !isDraining
        report.address = workload.advertised.description
        report.servicePort = workload.servicePort
        report.health = isAppHealthy ? .healthy : .unhealthy
        report.healthDetail = isAppHealthy ? "" : appDetail
        report.labels = options.labels
        report.zone = options.zone
        report.weight = workload.weight
        report.isMutualTls = true
        report.protocol = workload.protocol.rawValue
      }
    }
  }

  /// Withdraws the workload, gives others the time to learn it, and lets the proxy drain.
  func drain(_ proceed: @escaping @Sendable () -> Void) {
    isDraining = true
    // What came a moment ago would be forgotten.
    if isSavingCache { saveCache() }
    guard options.workload != nil, outgoing != nil else { return proceed() }
    reportWorkload()
    Task {
      try? await Task.sleep(for: .milliseconds(600))
      proceed()
    }
  }

  /// A bundle that could not be fetched. One that was is told once it is in force.
  func report(_ fetched: FetchedBundle) {
    guard let problem = fetched.problem else { return }
    log.error("the bundle \(fetched.want.name) cannot be used: \(problem)")
    reportedBundles[fetched.want.name] = nil
    outgoing?.send {
      $0.bundle = .with { report in
        report.name = fetched.want.name
        report.digest = fetched.want.digest
        report.state = .rejected
        report.error = problem
      }
    }
  }

  /// Tells which versions of bundles are in force, as far as this stream has not been told.
  func reportBundles() {
    guard let outgoing else { return }
    for (name, digest) in bundles.versions(lastGood.values.filter { $0.type == ResourceType.filterBundle }, options.id)
    where reportedBundles[name] != digest {
      reportedBundles[name] = digest
      outgoing.send {
        $0.bundle = .with { report in
          report.name = name
          report.digest = digest
          report.state = .ready
        }
      }
    }
  }

  // MARK: Telemetry

  /// Milliseconds between two reports while a bundle is in a rollout, which waits for figures.
  private static let rolloutInterval: UInt32 = 1_000

  func telemetrySoon() {
    if telemetryInterval == 0 { return }
    let (tell, number, wait) = (tell, stream, min(telemetryInterval, Self.rolloutInterval))
    Task {
      try? await Task.sleep(for: .milliseconds(Int(wait)))
      tell(.sendTelemetry(number))
    }
  }

  func sendTelemetry() {
    guard let outgoing, telemetryInterval > 0 else { return }
    let isDue = ContinuousClock.now - telemetrySent >= .milliseconds(Int(telemetryInterval) - 100)
    let hasRollout = lastGood.values.contains { $0.type == ResourceType.filterBundle && RolloutShare($0) != nil }
    if let proxy, isDue || hasRollout {
      let source = "\(options.namespace)/\(options.name)"
      var report = telemetry.report(proxy.metrics(), source: source)
      report.intervalMs = telemetryInterval
      report.revision = revisionInForce
      report.certificateNotAfter = Int64(identity?.notAfter.timeIntervalSince1970 ?? 0)
      outgoing.send { $0.telemetry = report }
      telemetrySent = .now
    }
    telemetrySoon()
  }
}
