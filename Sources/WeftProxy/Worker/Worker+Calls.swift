import WeftFilter
import WeftHTTP
import WeftIO

/// A request of the proxy's own: who takes its response.
final class ServiceCallTask {
  let responseLimit: Int
  let completion: ((borrowing ServiceCallResult) -> Void)?
  /// The exchange with which it ends; nil: it is nobody's.
  let owner: ExchangeReference?

  init(
    responseLimit: Int, owner: ExchangeReference? = nil, completion: ((borrowing ServiceCallResult) -> Void)?
  ) {
    self.responseLimit = responseLimit
    self.owner = owner
    self.completion = completion
  }
}

/// Requests of the proxy's own: mirrors, and calls of filters. They are exchanges without a client.
extension Worker {
  private static let callLimit = 4096
  static let mirrorBodyLimit = 1024 * 1024
  private static let mirrorTimeout: UInt32 = 15_000

  func startCall(_ call: ServiceCall, completion: @escaping (borrowing ServiceCallResult) -> Void) -> Bool {
    let task = ServiceCallTask(responseLimit: call.responseLimit, owner: call.owner, completion: completion)
    guard let x = makeCall(call.service, task) else { return false }
    let s = x.pointee.state
    var method = call.method
    var target = call.target
    var authority = call.authority
    let isValid = method.withUTF8 { m in
      target.withUTF8 { t in
        authority.withUTF8 { a in
          guard let m = m.bytes, let t = t.bytes, let a = a.bytes, HeaderTable.isFieldName(m),
            MessageHead.isTarget(t), HeaderTable.isFieldValue(a)
          else { return false }
          return s.pointee.request.setMethod(m) && s.pointee.request.setTarget(t)
            && s.pointee.request.headers.add(Names.host, a)
        }
      }
    }
    var isWhole = isValid
    for (name, value) in call.headers where isWhole {
      // Names that scripts make are not to be kept for ever, as those of `HeaderName` are.
      var (name, value) = (name, value)
      isWhole = name.withUTF8 { n in
        value.withUTF8 { v in
          guard let n = n.bytes, HeaderTable.isFieldName(n) else { return false }
          let value = v.bytes ?? Bytes()
          let known = KnownHeader.classify(n.base, n.count)
          // The message is framed here, and its connection is the proxy's.
          if Self.isProxysOwn(known) { return true }
          return HeaderTable.isFieldValue(value) && s.pointee.request.headers.add(n, value, known: known)
        }
      }
    }
    isWhole =
      isWhole
      && call.body.withUnsafeBufferPointer { b in
        guard let b = b.bytes else { return true }
        return s.pointee.bufferedRequestBody.append(b, limit: BodyScratch.limit)
      }
    if !isWhole {
      dropCall(x)
      return false
    }
    x.pointee.requestMode = .buffered
    if !call.body.isEmpty || s.pointee.request.method == .post || s.pointee.request.method == .put {
      setContentLength(&s.pointee.request, call.body.count)
    }
    launch(x, timeout: call.timeout)
    return true
  }

  /// Copies of a request whose body, if it has one, has passed by as a whole.
  func sendMirrors(_ original: ExchangeRef) {
    let state = original.pointee.state
    let mirrors = state.pointee.mirrors
    state.pointee.mirrors = []
    let isBuffered = original.pointee.requestMode == .buffered
    if !isBuffered && original.pointee.replayLost { return }
    let body =
      isBuffered ? original.pointee.state.pointee.bufferedRequestBody.bytes : original.pointee.replay.bytes
    for service in mirrors {
      guard let x = makeCall(service, ServiceCallTask(responseLimit: Self.mirrorBodyLimit, completion: nil)) else {
        continue
      }
      let (s, o) = (x.pointee.state, original.pointee.state)
      var isWhole =
        s.pointee.request.setMethod(o.pointee.request.headers.text(o.pointee.request.methodText))
        && s.pointee.request.setTarget(o.pointee.request.headers.text(o.pointee.request.target))
        && s.pointee.bufferedRequestBody.append(body, limit: BodyScratch.limit)
      for i in 0..<o.pointee.request.headers.count where isWhole && !o.pointee.request.headers.isRemoved(i) {
        let field = o.pointee.request.headers[i]
        isWhole = s.pointee.request.headers.add(
          o.pointee.request.headers.name(field), o.pointee.request.headers.value(field), known: field.known)
      }
      if !isWhole {
        dropCall(x)
        continue
      }
      x.pointee.requestMode = .buffered
      launch(x, timeout: Self.mirrorTimeout)
    }
  }

  private static func isProxysOwn(_ known: KnownHeader) -> Bool {
    switch known {
    case .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .te, .trailer, .upgrade, .expect,
      .host:
      true
    default: false
    }
  }

  private func makeCall(_ reference: ServiceReference, _ task: ServiceCallTask) -> ExchangeRef? {
    guard callsActive < Self.callLimit, let service = services[reference.name], let snapshot else { return nil }
    let x = takeExchange()
    x.pointee.client = nil
    x.pointee.call = task
    x.pointee.service = service
    x.pointee.stage = .request
    x.pointee.requestDone = true
    x.pointee.snapshot = snapshot
    enter(snapshot)
    let s = x.pointee.state
    s.pointee.request.reset()
    s.pointee.serviceName = service.pointee.name.bytes
    s.pointee.started = clock.pointee.now
    s.pointee.startedWall = clock.pointee.wall
    callsActive += 1
    if let owner = task.owner.flatMap(exchange) { owner.pointee.ownCalls += 1 }
    return x
  }

  private func launch(_ x: ExchangeRef, timeout: UInt32) {
    x.pointee.deadlineTimer.token = Token(kind: Owner.exchangeDeadline, slot: x.pointee.slot, generation: 0).raw
    wheel.pointee.schedule(&x.pointee.deadlineTimer, at: deadline(max(timeout, 1)))
    forward(x)
  }

  /// The whole response is there.
  func deliverCall(_ x: ExchangeRef) {
    let s = x.pointee.state
    x.pointee.call?.completion?(
      ServiceCallResult(
        status: s.pointee.response.status, head: x.pointee.state.response, body: s.pointee.bufferedResponseBody.bytes,
        failure: ""))
    dropCall(x)
  }

  func failCall(_ x: ExchangeRef, _ failure: Failure) {
    let task = x.pointee.call
    dropCall(x)
    task?.completion?(
      ServiceCallResult(
        status: 0, head: nil, body: Bytes(), failure: String(describing: failure.details),
        isTimeout: failure.status == 504))
  }

  private func dropCall(_ x: ExchangeRef) {
    if let owner = x.pointee.call?.owner.flatMap(exchange) { owner.pointee.ownCalls -= 1 }
    endExchange(x)
    x.pointee.call = nil
    callsActive -= 1
    releaseExchange(x)
  }

  /// Gives up every call, for the worker ends.
  func dropAllCalls() {
    for i in 0..<exchanges.capacity {
      let x = exchanges[i]
      if x.pointee.call != nil { dropCall(x) }
    }
  }

  /// Gives up what an exchange has asked of services, for it ends.
  func dropCalls(of owner: ExchangeRef) {
    let reference = owner.pointee.reference
    for i in 0..<exchanges.capacity where owner.pointee.ownCalls > 0 {
      let x = exchanges[i]
      if x.pointee.call?.owner == reference { dropCall(x) }
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// nil for an empty buffer without memory.
  var bytes: Bytes? { baseAddress.map { Bytes($0, count) } }
}
