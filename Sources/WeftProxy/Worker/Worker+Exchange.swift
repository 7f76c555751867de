import Glibc
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// The life of an exchange: taken from the pool, begun, ended once, given back.
extension Worker {
  /// The connection's exchange, or one from the pool.
  @inline(__always)
  func exchange(for c: ClientRef) -> ExchangeRef? {
    if let x = c.pointee.exchange { return x }
    let x = takeExchange()
    x.pointee.client = c
    c.pointee.exchange = x
    return x
  }

  func takeExchange() -> ExchangeRef {
    let (clock, scratch, context) = (clock, bodyScratch, Unmanaged<WorkerContext>.passUnretained(context))
    return exchanges.take { slot in
      let state = UnsafeMutablePointer<ExchangeState>.allocate(capacity: 1)
      state.initialize(to: ExchangeState(slot: slot, clock: clock, worker: context, scratch: scratch))
      return ProxyExchange(slot: slot, state: state)
    }
  }

  /// Gives an exchange that has ended, or never begun, back to the pool.
  func releaseExchange(_ x: ExchangeRef) {
    if let c = x.pointee.client {
      c.pointee.exchange = nil
      x.pointee.client = nil
    }
    let s = x.pointee.state
    s.pointee.request.headers.dropKept()
    // The client may have gone in the middle of a head.
    s.pointee.request.scanned = 0
    x.pointee.stage = .done
    exchanges.give(x.pointee.slot)
  }

  /// Sets up what every exchange has, once the head of its request is there.
  @inline(__always)
  func startRecord(_ x: ExchangeRef, _ c: ClientRef) {
    let s = x.pointee.state
    x.pointee.stage = .request
    x.pointee.listener = c.pointee.listener
    s.pointee.started = clock.pointee.now
    s.pointee.startedWall = clock.pointee.wall
    s.pointee.peerAddress = c.pointee.peer
    s.pointee.clientAddress = c.pointee.peer
    s.pointee.localAddress = c.pointee.local
    s.pointee.tls = c.pointee.security
    if let l = c.pointee.listener {
      s.pointee.listenerName = l.pointee.name.bytes
      l.pointee.metrics.requestsActive.add()
    }
  }

  /// Ends an exchange, well or not: counts and logs it, lets its filters go, frees its upstream connection.
  /// The client's connection is left as it is.
  func endExchange(_ x: ExchangeRef) {
    if x.pointee.stage == .done { return }
    let s = x.pointee.state
    if x.pointee.call == nil {
      x.pointee.listener?.pointee.metrics.requestsActive.sub()
      report(x)
    }
    if x.pointee.ownCalls > 0 { dropCalls(of: x) }
    s.pointee.phase = .ended
    if let chain = s.pointee.chain {
      s.pointee.receivedBytes = x.pointee.bytesReceived
      s.pointee.sentBytes = x.pointee.bytesSent
      s.pointee.finalStatus = x.pointee.responseHeadSent ? s.pointee.response.status : 0
      chain._withUnsafeGuaranteedRef {
        $0.log(s)
        if s.pointee.statesHeld != 0 { $0.end(s) }
      }
    }
    if let policy = s.pointee.retryPolicy { policy._withUnsafeGuaranteedRef { $0.finished(x.pointee.handle) } }
    if x.pointee.upstream != nil { releaseUpstream(x) }
    leaveQueue(x)
    if x.pointee.isRetried { leaveRetries(x) }
    wheel.pointee.cancel(&x.pointee.deadlineTimer)
    wheel.pointee.cancel(&x.pointee.wakeTimer)
    reset(x)
  }

  /// Puts everything back as a fresh exchange has it. References to it are stale from here on.
  @inline(__always)
  private func reset(_ x: ExchangeRef) {
    let s = x.pointee.state
    s.pointee.generation &+= 1
    x.pointee.stage = .done
    x.pointee.suspended = false
    x.pointee.resumeQueued = false
    x.pointee.rule = nil
    x.pointee.backend = nil
    x.pointee.service = nil
    x.pointee.listener = nil
    x.pointee.listenerIndex = -1
    x.pointee.session.id = 0
    x.pointee.requestMode = .none
    x.pointee.requestChunked = false
    x.pointee.requestDone = true
    x.pointee.requestSent = false
    x.pointee.isOpaque = false
    x.pointee.bufferedSent = 0
    x.pointee.holdsChunk = false
    x.pointee.mustContinue = false
    x.pointee.requestBufferedBy = -1
    x.pointee.responseBufferedBy = ExchangeState.chainLimit
    x.pointee.isBackingOff = false
    x.pointee.replayLimit = 0
    x.pointee.replayLost = false
    x.pointee.replay.reset()
    x.pointee.responseMode = .none
    x.pointee.responseChunked = false
    x.pointee.responseStarted = false
    x.pointee.responseHeadSent = false
    x.pointee.responseIsComplete = false
    x.pointee.informational = 0
    x.pointee.connectTries = 0
    x.pointee.routeFailed = false
    x.pointee.staleRetried = false
    x.pointee.triedEndpoints = 0
    x.pointee.bytesReceived = 0
    x.pointee.bytesSent = 0
    x.pointee.upstreamStarted = 0
    x.pointee.upstreamFirstByte = 0
    s.pointee.reset()
    if let snapshot = x.pointee.snapshot {
      x.pointee.snapshot = nil
      leave(snapshot)
    }
  }
}
