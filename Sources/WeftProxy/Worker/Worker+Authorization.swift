import WeftFilter
import WeftHTTP
import WeftIO

/// Enforcing AuthorizationPolicies: once a request's route is known and before its chain runs, and once a connection's
/// backend is known.
extension Worker {
  /// Whether the policies of the listener, and those of the service that the request is for, let it pass. A request
  /// without a route has passed the listener's before it learns so.
  func isAuthorized(_ x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int) -> Bool {
    guard let authorization = snapshot._withUnsafeGuaranteedRef({ $0.authorization }),
      !authorization.table.isExempt(listener: listener)
    else { return true }
    let s = x.pointee.state
    var input = AuthorizationInput(request: UnsafePointer(s.request), scratch: scratch, Self.scratchSize)
    describePeer(s, &input)
    if let sets = authorization.table.sets(listener: listener, host: s.pointee.request.headers.value(.host) ?? Bytes()),
      !passes(x, sets, authorization, &input)
    {
      return false
    }
    return isAuthorizedForService(x, authorization, &input)
  }

  /// The same for a request that a filter has sent on another way, whose listener's policies have had their say.
  func isAuthorizedForService(_ x: ExchangeRef, _ snapshot: SnapshotRef) -> Bool {
    guard let authorization = snapshot._withUnsafeGuaranteedRef({ $0.authorization }),
      !authorization.table.isExempt(listener: x.pointee.listenerIndex)
    else { return true }
    let s = x.pointee.state
    var input = AuthorizationInput(request: UnsafePointer(s.request), scratch: scratch, Self.scratchSize)
    describePeer(s, &input)
    return isAuthorizedForService(x, authorization, &input)
  }

  private func isAuthorizedForService(
    _ x: ExchangeRef, _ authorization: WorkerAuthorization, _ input: inout AuthorizationInput
  ) -> Bool {
    guard let backend = x.pointee.backend, let sets = authorization.table.sets(service: backend.pointee.service) else {
      return true
    }
    return passes(x, sets, authorization, &input)
  }

  /// Whether a connection of a TCP or TLS route may go to its backend.
  /// - Parameter serverName: of a hello that was passed through; empty otherwise.
  func isAuthorized(
    connection x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int, serverName: Bytes
  ) -> Bool {
    guard let authorization = snapshot._withUnsafeGuaranteedRef({ $0.authorization }),
      !authorization.table.isExempt(listener: listener)
    else { return true }
    var input = AuthorizationInput(request: nil, scratch: scratch, Self.scratchSize)
    describePeer(x.pointee.state, &input)
    if !serverName.isEmpty { input.serverName = serverName }
    if let sets = authorization.table.sets(listener: listener, host: input.serverName),
      !passes(x, sets.connections, authorization, &input)
    {
      return false
    }
    guard let backend = x.pointee.backend, let sets = authorization.table.sets(service: backend.pointee.service) else {
      return true
    }
    return passes(x, sets.connections, authorization, &input)
  }

  @inline(__always)
  private func describePeer(_ s: UnsafeMutablePointer<ExchangeState>, _ input: inout AuthorizationInput) {
    input.source = s.pointee.peerAddress
    input.remote = s.pointee.clientAddress
    input.destination = s.pointee.localAddress
    guard let tls = s.pointee.tls else { return }
    input.isTLS = true
    tls._withUnsafeGuaranteedRef { tls in
      input.serverName = tls.serverNameBytes.bytes
      input.principal = tls.identity.principal.bytes
      input.namespace = tls.identity.namespace.bytes
      input.serviceAccount = tls.identity.account.bytes
    }
  }

  /// Verifies tokens first, of which policies ask.
  private func passes(
    _ x: ExchangeRef, _ sets: AuthorizationTable.Sets, _ authorization: WorkerAuthorization,
    _ input: inout AuthorizationInput
  ) -> Bool {
    if let rules = sets.tokens {
      beginRecord(x)
      if !authenticate(x, rules, &input) { return false }
    }
    if x.pointee.authorization.generation == x.pointee.generation { input.token = x.pointee.authorization.token }
    return passes(x, sets.requests, authorization, &input)
  }

  @inline(__always)
  private func beginRecord(_ x: ExchangeRef) {
    if x.pointee.authorization.generation == x.pointee.generation { return }
    x.pointee.authorization = AuthorizationRecord(generation: x.pointee.generation)
  }

  private func passes(
    _ x: ExchangeRef, _ set: AuthorizationSet, _ authorization: WorkerAuthorization,
    _ input: inout AuthorizationInput
  ) -> Bool {
    let decision = set.decide(&input)
    authorization.count(decision)
    beginRecord(x)
    // The service's policies come last, and those that decide nothing leave what the listener's said.
    if decision.policy >= 0 || !decision.isAllowed { x.pointee.authorization.decision = decision }
    if set.hasObservers { observe(x, set, authorization, decision, &input) }
    return decision.isAllowed
  }

  private func observe(
    _ x: ExchangeRef, _ set: AuthorizationSet, _ authorization: WorkerAuthorization,
    _ decision: AuthorizationDecision, _ input: inout AuthorizationInput
  ) {
    let client = input.source
    let principal = input.principal
    set.observe(&input, decision) { policy, observation in
      authorization.countObservation(policy)
      let number = Int(policy)
      if observation == .audited, x.pointee.authorization.audit < 0 { x.pointee.authorization.audit = policy }
      let name = number >= 0 ? authorization.table.policies[number].name.bytes.string : "none"
      let what =
        switch observation {
        case .audited: "audited"
        case .wouldAllow: "would be allowed"
        case .wouldDeny: "would be denied"
        }
      control.limitedLog.log(
        .info,
        "authorization policy \(name): \(self.title(x, isRequest: !x.pointee.isOpaque)) of \(client)\(principal.isEmpty ? "" : " (\(principal.string))") \(what)",
        key: name)
    }
  }

  private func title(_ x: ExchangeRef, isRequest: Bool) -> String {
    if !isRequest { return "a connection" }
    let request = x.pointee.state.request
    let method = request.pointee.headers.text(request.pointee.methodText).string
    return "\(method) \(request.pointee.path.string.prefix(200))"
  }
}
