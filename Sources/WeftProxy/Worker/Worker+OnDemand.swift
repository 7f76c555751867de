import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// Requests for services of the mesh that the configuration does not know yet: they wait, for a moment and not too many
/// of them, for one that does.
extension Worker {
  /// Milliseconds.
  private static let routeWait: UInt32 = 1_000
  /// Requests of one worker that wait at once.
  private static let awaitingLimit = 256

  /// No route takes the request: it waits where a service may still come, and fails otherwise.
  func routeNotFound(_ x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int) {
    if x.pointee.routeFailed { return failUnrouted(x, snapshot, listener, .routingFailed) }
    guard let host = wantedHost(x, snapshot, listener) else { return failUnrouted(x, snapshot, listener, .noRoute) }
    if isAbsent(host, snapshot) { return fail(x, .meshServiceUnknown) }
    awaiting.removeAll { exchange($0)?.pointee.suspension != .route }
    if awaiting.count >= Self.awaitingLimit { return fail(x, .overloaded) }
    awaiting.append(x.pointee.reference)
    x.pointee.suspension = .route
    setWake(x, Self.routeWait)
    control.wants(host: host)
  }

  /// The host of a request that a service of the mesh may have and no route names; nil: waiting would be of no use.
  private func wantedHost(_ x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int) -> String? {
    guard x.pointee.isHostUnknown, x.pointee.call == nil else { return nil }
    return snapshot._withUnsafeGuaranteedRef { snapshot -> String? in
      guard snapshot.snapshot.onDemand != nil,
        let namespace = snapshot.snapshot.listeners[listener].meshNamespace,
        let field = x.pointee.state.pointee.request.headers.value(.host)
      else { return nil }
      let host = field.slice(0, RequestHost.nameLength(field)).string.lowercased()
      return MeshHosts.service(host, from: namespace) == nil ? nil : host
    }
  }

  private func isAbsent(_ host: String, _ snapshot: SnapshotRef) -> Bool {
    snapshot._withUnsafeGuaranteedRef { $0.snapshot.onDemand?.absent.contains(host) ?? false }
  }

  /// A new configuration has come: requests that wait for a service look again.
  func wakeAwaiting() {
    if awaiting.isEmpty { return }
    for reference in awaiting {
      guard let x = exchange(reference), x.pointee.suspension == .route, !x.pointee.resumeQueued else { continue }
      x.pointee.resumeQueued = true
      deferred.append(.resume(reference))
    }
  }

  /// Routes a request that waits by the present configuration.
  func routeAgain(_ x: ExchangeRef) {
    guard let c = x.pointee.client, let (snapshot, listener) = configuration(of: c) else { return giveUpRoute(x) }
    if let old = x.pointee.snapshot {
      enter(snapshot)
      x.pointee.snapshot = snapshot
      x.pointee.listenerIndex = listener
      leave(old)
    }
    if route(x, snapshot, listener) {
      endRouteWait(x)
      if x.pointee.isOpaque { return connectOutbound(x) }
      startChain(x, snapshot, listener)
      return goOn(x, x.pointee.generation)
    }
    guard !x.pointee.routeFailed, let host = wantedHost(x, snapshot, listener) else {
      endRouteWait(x)
      return fail(x, x.pointee.routeFailed ? .routingFailed : .noRoute)
    }
    if isAbsent(host, snapshot) {
      endRouteWait(x)
      fail(x, .meshServiceUnknown)
    }
  }

  /// The body stood still meanwhile.
  private func goOn(_ x: ExchangeRef, _ generation: UInt32) {
    if x.pointee.generation == generation && !x.pointee.suspended { pumpRequest(x) }
  }

  /// The time is over.
  func giveUpRoute(_ x: ExchangeRef) {
    endRouteWait(x)
    fail(x, .meshServiceTimeout)
  }

  private func endRouteWait(_ x: ExchangeRef) {
    x.pointee.suspended = false
    wheel.pointee.cancel(&x.pointee.wakeTimer)
  }
}
