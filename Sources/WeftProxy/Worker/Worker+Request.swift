import WeftFilter
import WeftHTTP
import WeftIO

/// The request's way: from its head through route and chain.
extension Worker {
  func begin(_ x: ExchangeRef, _ c: ClientRef) {
    startRecord(x, c)
    let s = x.pointee.state
    c.pointee.requests &+= 1
    c.pointee.closeAfter =
      !s.pointee.request.keepAlive || isLeaving(c)
      || (settings.maxRequestsPerConnection != 0 && c.pointee.requests >= settings.maxRequestsPerConnection)
    if s.pointee.request.framing == .none {
      x.pointee.requestDone = true
      if !s.pointee.request.keepAlive { c.pointee.saysNoMore = true }
      stopTimer(c)
    } else {
      x.pointee.requestDone = false
      x.pointee.requestTracker.begin(s.pointee.request.framing)
      x.pointee.mustContinue = s.pointee.request.expectsContinue && s.pointee.request.version != .http10
      setTimer(c, settings.requestBodyIdleTimeout)
    }
    if s.pointee.request.method == .connect { return beginConnect(x, c) }
    guard let (snapshot, listener) = configuration(of: c) else { return fail(x, .noRoute) }
    if s.pointee.tls != nil && isMisdirected(s, c) { return fail(x, .misdirected) }
    guard normalisePath(s) else { return fail(x, .badPath) }
    addForwardingFields(x, c)
    enter(snapshot)
    x.pointee.snapshot = snapshot
    x.pointee.listenerIndex = listener
    guard route(x, snapshot, listener) else { return routeNotFound(x, snapshot, listener) }
    startChain(x, snapshot, listener)
  }

  /// The rule is found: asks the policies that guard it, and runs the request side of its chain.
  @inline(__always)
  func startChain(_ x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int) {
    let s = x.pointee.state
    guard let backend = x.pointee.backend else { return failUnrouted(x, snapshot, listener, .noSuchBackend) }
    if let rule = x.pointee.rule, rule.pointee.isGuarded {
      if rule.pointee.asksPolicies, !isAuthorized(x, snapshot, listener) { return fail(x, denial(x)) }
      if rule.pointee.requestTimeout != 0 {
        x.pointee.deadlineTimer.token = Token(kind: Owner.exchangeDeadline, slot: x.pointee.slot, generation: 0).raw
        wheel.pointee.schedule(&x.pointee.deadlineTimer, at: deadline(rule.pointee.requestTimeout))
      }
    }
    s.pointee.chain = backend.pointee.chain
    let verdict = backend.pointee.chain._withUnsafeGuaranteedRef { chain in
      s.pointee.requestBodyFilters = chain.requestBodyMask
      s.pointee.responseBodyFilters = chain.responseBodyMask
      return chain.request(s, from: 0)
    }
    requestVerdict(x, verdict)
  }

  /// Nothing takes the request. Who may not send it at all learns that, and not which routes there are.
  func failUnrouted(_ x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int, _ failure: Failure) {
    fail(x, isAuthorized(x, snapshot, listener) ? failure : denial(x))
  }

  /// The configuration for the client's next request, and the index of its listener there: the present one, or the last
  /// one in which the listener stood.
  @inline(__always)
  func configuration(of c: ClientRef) -> (SnapshotRef, Int)? {
    guard let l = c.pointee.listener else { return nil }
    if l.pointee.index >= 0, let snapshot { return (snapshot, l.pointee.index) }
    return l.pointee.last.map { ($0.snapshot, $0.index) }
  }

  /// Brings the path into the one form that routes match against and that goes upstream.
  @inline(__always)
  private func normalisePath(_ s: UnsafeMutablePointer<ExchangeState>) -> Bool {
    var w = ByteWriter(scratch, Self.scratchSize)
    switch PathNormalizer.normalise(s.pointee.request.path, options: .decodeUnreserved, into: &w) {
    case .unchanged: return true
    case .refused: return false
    case .changed:
      let target = s.pointee.request.headers.text(s.pointee.request.target)
      w.append(target.slice(s.pointee.request.pathLength, target.count))
      return !w.overflow && s.pointee.request.setTarget(w.bytes)
    }
  }

  /// Finds the rule for the request and draws a backend.
  @inline(__always)
  func route(_ x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int) -> Bool {
    let s = x.pointee.state
    return snapshot._withUnsafeGuaranteedRef { snapshot in
      let head = s.request
      let match = snapshot.tables[listener]._withUnsafeGuaranteedRef {
        $0.match(
          host: head.pointee.headers.value(.host) ?? Bytes(), method: head.pointee.method,
          methodText: head.pointee.headers.text(head.pointee.methodText), path: head.pointee.path,
          query: head.pointee.query, headers: head.fields, scratch: routing)
      }
      if match.failed { x.pointee.routeFailed = true }
      if match.target < 0 || match.failed {
        x.pointee.isHostUnknown = !match.hostMatched
        return false
      }
      let rule = snapshot.rules + match.target
      x.pointee.rule = rule
      s.pointee.routeName = rule.pointee.name.bytes
      s.pointee.matchedPrefixLength = max(match.prefixLength, 0)
      if rule.pointee.metadata != nil { s.pointee.routeMetadata = rule.pointee.metadata }
      x.pointee.backend =
        rule.pointee.session == nil
        ? rule.pointee.pick(&context.random)
        : resumeSession(x, rule, snapshot) ?? rule.pointee.pick(&context.random)
      choose(x, snapshot)
      return true
    }
  }

  func choose(_ x: ExchangeRef, _ snapshot: WorkerSnapshot) {
    guard let backend = x.pointee.backend, backend.pointee.service >= 0 else {
      x.pointee.service = nil
      return
    }
    x.pointee.service = snapshot.services[backend.pointee.service]
    if let service = x.pointee.service { x.pointee.state.pointee.serviceName = service.pointee.name.bytes }
  }

  // MARK: The chain's verdict

  func requestVerdict(_ x: ExchangeRef, _ first: FilterVerdict) {
    var verdict = first
    let s = x.pointee.state
    while true {
      switch verdict {
      case .next: return requestChainDone(x)
      case .respond: return respondLocally(x, from: s.pointee.lastToSeeAnswer)
      case .suspend:
        if s.pointee.requestBufferLimit == 0 {
          x.pointee.suspended = true
          return
        }
        if !x.pointee.requestDone { return startBuffering(x) }
        guard let resumed = requestBodyBuffered(x) else { return }
        verdict = resumed
      }
    }
  }

  /// The body that a filter waits for is whole: runs the body filters that stand before it, and lets it go on.
  /// - Returns: nil when the exchange has taken another way.
  private func requestBodyBuffered(_ x: ExchangeRef) -> FilterVerdict? {
    let s = x.pointee.state
    let filter = s.pointee.filterIndex
    if x.pointee.requestMode == .buffered, x.pointee.requestBufferedBy >= 0 {
      if !filterBufferedRequest(x, from: x.pointee.requestBufferedBy &+ 1, below: filter) { return nil }
    }
    x.pointee.requestBufferedBy = filter
    s.pointee.filterIndex = filter
    s.pointee.requestBufferLimit = 0
    s.pointee.phase = .request
    guard let chain = s.pointee.chain else { return nil }
    return chain._withUnsafeGuaranteedRef { chain in
      let verdict = chain.resume(s)
      return verdict == .next ? chain.request(s, from: s.pointee.filterIndex &+ 1) : verdict
    }
  }

  /// Goes on in the request phase after a filter's suspension or a buffered body.
  func continueRequest(_ x: ExchangeRef) {
    let s = x.pointee.state
    guard let chain = s.pointee.chain else { return }
    if s.pointee.requestBufferLimit != 0 {
      guard let verdict = requestBodyBuffered(x) else { return }
      return requestVerdict(x, verdict)
    }
    let verdict = chain._withUnsafeGuaranteedRef { chain in
      let verdict = chain.resume(s)
      return verdict == .next ? chain.request(s, from: s.pointee.filterIndex &+ 1) : verdict
    }
    requestVerdict(x, verdict)
  }

  private func startBuffering(_ x: ExchangeRef) {
    let s = x.pointee.state
    x.pointee.stage = .bufferingRequest
    x.pointee.requestMode = .buffered
    x.pointee.requestDecoder = BodyDecoder(s.pointee.request.framing)
    s.pointee.request.headers.remove(.expect)
    if case .length(let n) = s.pointee.request.framing, n > UInt64(s.pointee.requestBufferLimit) {
      return fail(x, .requestBodyTooLarge)
    }
    if x.pointee.mustContinue, !sendContinue(x) { return }
    pumpRequest(x)
  }

  private func sendContinue(_ x: ExchangeRef) -> Bool {
    x.pointee.mustContinue = false
    guard let c = x.pointee.client, c.pointee.input.isEmpty else { return true }
    if c.pointee.isStream {
      sendStreamContinue(c)
      return true
    }
    let line = Bytes("HTTP/1.1 100 Continue\r\n\r\n")
    return sendToClient(c, line.base, line.count)
  }

  /// The request side of the chain has ended: settles how the body travels, and sends the request on its way.
  private func requestChainDone(_ x: ExchangeRef) {
    let s = x.pointee.state
    if s.pointee.request.headers.hasOverflowed { return fail(x, .requestHeadersTooLarge) }
    if s.pointee.clearRoute, let snapshot = x.pointee.snapshot, x.pointee.listenerIndex >= 0 {
      // The chain of the first route goes on; only rule and backend change.
      let isFound = route(x, snapshot, x.pointee.listenerIndex)
      if !isFound { return fail(x, x.pointee.routeFailed ? .routingFailed : .noRoute) }
      if let rule = x.pointee.rule, rule.pointee.asksPolicies, !isAuthorizedForService(x, snapshot) {
        return fail(x, denial(x))
      }
    }
    // A filter may have given a body to a request that had none.
    if x.pointee.requestMode == .none && !s.pointee.bufferedRequestBody.isEmpty { x.pointee.requestMode = .buffered }
    if x.pointee.requestMode == .buffered {
      if !filterBufferedRequest(x, from: x.pointee.requestBufferedBy &+ 1, below: ExchangeState.chainLimit) { return }
      s.pointee.request.headers.remove(.transferEncoding)
      // A stream sends them by itself, and a mirror's service may speak another version.
      let isStream = x.pointee.service.map { $0.pointee.isHTTP2 || $0.pointee.negotiates } ?? false
      if s.pointee.requestTrailers.count > 0 && !isStream && s.pointee.mirrors.isEmpty {
        if !encodeWithTrailers(x) { return fail(x, .requestBodyTooLarge) }
      } else {
        setContentLength(&s.pointee.request, s.pointee.bufferedRequestBody.count)
      }
    } else if !x.pointee.requestDone {
      settleRequestBody(x)
    }
    x.pointee.replayLimit = replayLimit(x)
    guard x.pointee.service != nil else {
      return fail(
        x,
        x.pointee.backend == nil || x.pointee.backend?.pointee.service ?? -1 < 0 ? .noSuchBackend : .noHealthyUpstream)
    }
    if !s.pointee.mirrors.isEmpty && (x.pointee.requestDone) { sendMirrors(x) }
    forward(x)
  }

  /// Bytes of request body to keep for a repetition or a mirror.
  private func replayLimit(_ x: ExchangeRef) -> Int {
    let s = x.pointee.state
    var limit = 0
    if let policy = s.pointee.retryPolicy { limit = policy._withUnsafeGuaranteedRef { $0.replayLimit } }
    if !s.pointee.mirrors.isEmpty { limit = max(limit, Self.mirrorBodyLimit) }
    return limit
  }

  private func settleRequestBody(_ x: ExchangeRef) {
    let s = x.pointee.state
    let chunked = s.pointee.request.framing == .chunked
    let trailersWatched =
      chunked && (s.pointee.chain?._withUnsafeGuaranteedRef { $0.watchesRequestTrailers } ?? false)
    let toHTTP2 = x.pointee.service?.pointee.isHTTP2 ?? false
    // A body that an HTTP/2 stream ends has no framing that could be passed on as it stands, and chunks mean nothing there.
    let mayBeHTTP2 = toHTTP2 || (x.pointee.service?.pointee.negotiates ?? false)
    let isPlain = s.pointee.request.framing != .untilClose && !(chunked && mayBeHTTP2)
    if s.pointee.requestBodyFilters == 0 && !trailersWatched && isPlain {
      x.pointee.requestMode = .raw
      return
    }
    x.pointee.requestMode = .decoded
    x.pointee.requestDecoder = BodyDecoder(s.pointee.request.framing)
    // A filter may change the body's length, so that only chunks can carry it.
    x.pointee.requestChunked = !toHTTP2
    s.pointee.request.headers.remove(.contentLength)
    if !chunked && !toHTTP2 { s.pointee.request.headers.add(Names.transferEncoding, Bytes("chunked")) }
  }

  func setContentLength(_ head: inout MessageHead, _ count: Int) {
    head.headers.remove(.contentLength)
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { memory in
      guard let base = memory.baseAddress else { return }
      var w = ByteWriter(base, 24)
      w.append(decimal: UInt64(count))
      head.headers.add(Names.contentLength, w.bytes)
    }
  }

  // MARK: Resuming

  /// Something that a filter waited for has come.
  func resume(_ x: ExchangeRef) {
    x.pointee.resumeQueued = false
    if !x.pointee.suspended { return }
    if x.pointee.suspension == .route { return routeAgain(x) }
    x.pointee.suspended = false
    let generation = x.pointee.generation
    switch x.pointee.state.pointee.phase {
    case .request: continueRequest(x)
    case .requestBody, .requestTrailers: continueRequestBody(x)
    case .response: continueResponse(x)
    case .responseBody, .responseTrailers: continueResponseBody(x)
    case .ended: return
    }
    // The other direction stood still meanwhile.
    if x.pointee.generation == generation && !x.pointee.suspended { pumpRequest(x) }
    if x.pointee.generation == generation && !x.pointee.suspended, let u = x.pointee.upstream,
      u.pointee.phase == .active, x.pointee.stage == .sent || x.pointee.stage == .responding
    {
      pumpResponse(u)
    }
  }

  /// The exchange's own timer: a filter's sleep, the pause before a retry, or the longest wait for a connection.
  func wake(_ x: ExchangeRef) {
    if x.pointee.isPending {
      x.pointee.service?.pointee.metrics.overflows.add()
      return fail(x, .overflow)
    }
    if x.pointee.suspension == .route { return giveUpRoute(x) }
    if x.pointee.suspended { return resume(x) }
    if x.pointee.isBackingOff {
      x.pointee.isBackingOff = false
      forward(x)
    }
  }

  func requestTimedOut(_ x: ExchangeRef) {
    if x.pointee.responseHeadSent { return abort(x, .requestTimeout) }
    fail(x, .requestTimeout)
  }
}

/// Field names that the worker adds.
enum Names {
  static let host = HeaderName("host")
  static let contentLength = HeaderName("content-length")
  static let transferEncoding = HeaderName("transfer-encoding")
  static let xForwardedFor = HeaderName("x-forwarded-for")
  static let xForwardedProto = HeaderName("x-forwarded-proto")
  static let xForwardedHost = HeaderName("x-forwarded-host")
  static let forwarded = HeaderName("forwarded")
  static let xRequestID = HeaderName("x-request-id")
  static let via = HeaderName("via")
  static let contentType = HeaderName("content-type")
  static let wwwAuthenticate = HeaderName("www-authenticate")
}
