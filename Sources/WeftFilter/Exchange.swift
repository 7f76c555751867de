import WeftHTTP
import WeftIO
import WeftTelemetry

/// One request with its response, as a filter sees it.
///
/// A handle: trivial to copy, valid during the call that received it. To come back to an exchange later, keep its
/// `reference` and ask the worker for it.
@frozen
public struct Exchange {
  @usableFromInline package let state: UnsafeMutablePointer<ExchangeState>

  @inlinable @inline(__always)
  package init(_ state: UnsafeMutablePointer<ExchangeState>) { self.state = state }

  private static let contentType = HeaderName("content-type")

  /// Names this exchange for later.
  public var reference: ExchangeReference {
    ExchangeReference(slot: state.pointee.slot, generation: state.pointee.generation)
  }

  /// The worker that runs this exchange: timers, calls to services, metrics.
  public var worker: WorkerContext { state.pointee.worker.takeUnretainedValue() }

  /// Monotonic nanoseconds, as of the event that is being handled.
  @inlinable public var now: UInt64 { state.pointee.clock.pointee.now }

  /// The phase that the exchange is in.
  public var phase: ExchangePhase { state.pointee.phase }

  // MARK: Heads and trailers

  /// The request's head, as the filters before this one left it.
  @inlinable public var request: MessageHead {
    _read { yield state.pointee.request }
    nonmutating _modify { yield &state.pointee.request }
  }

  /// The response's head; meaningful from `onResponse` on.
  @inlinable public var response: MessageHead {
    _read { yield state.pointee.response }
    nonmutating _modify { yield &state.pointee.response }
  }

  /// Trailers of the request; meaningful in `onRequestTrailers`.
  @inlinable public var requestTrailers: HeaderTable {
    _read { yield state.pointee.requestTrailers }
    nonmutating _modify { yield &state.pointee.requestTrailers }
  }

  /// Trailers of the response; meaningful in `onResponseTrailers`.
  @inlinable public var responseTrailers: HeaderTable {
    _read { yield state.pointee.responseTrailers }
    nonmutating _modify { yield &state.pointee.responseTrailers }
  }

  // MARK: This filter's own state

  /// A pointer of the running filter's own, kept with the exchange. While it is not nil the filter's `onEnd` is called
  /// when the exchange ends.
  public var filterState: UnsafeMutableRawPointer? {
    get { state.pointee.states[state.pointee.filterIndex] }
    nonmutating set {
      let i = state.pointee.filterIndex
      state.pointee.states[i] = newValue
      if newValue == nil {
        state.pointee.statesHeld &= ~(1 &<< UInt64(i))
      } else {
        state.pointee.statesHeld |= 1 &<< UInt64(i)
      }
    }
  }

  /// The same place for a number that is state enough; 0 is nil.
  public var filterNumber: UInt {
    get { UInt(bitPattern: filterState) }
    nonmutating set { filterState = UnsafeMutableRawPointer(bitPattern: newValue) }
  }

  // MARK: Answering

  /// Answers the request here. Return `.respond` from the phase that called this. Fields may be added to
  /// `response.headers` afterwards; Content-Length and Content-Type are set.
  ///
  /// In `onResponse` and later phases this replaces the upstream's response, as long as its head has not been sent.
  /// - Parameters:
  ///   - status: 200...599.
  ///   - body: copied; at most 16 MiB, beyond that it is left out.
  ///   - details: a snake_case reason for logs and metrics.
  ///   - isSeenBySelf: calls this filter's own `onResponse` for the response, too, when the answer is given in `onRequest`.
  public func respond(
    _ status: Int, body: Bytes = Bytes(), contentType: Bytes = Bytes("text/plain; charset=utf-8"),
    details: StaticString = "direct_response", isSeenBySelf: Bool = false
  ) {
    state.pointee.isAnswerSeenByItsFilter = isSeenBySelf
    state.pointee.response.reset()
    state.pointee.response.status = status
    state.pointee.localStatus = status
    state.pointee.details = details
    state.pointee.localBody.reset()
    if !state.pointee.localBody.append(body, limit: BodyScratch.limit) { state.pointee.localBody.reset() }
    if body.count > 0 { state.pointee.response.headers.add(Self.contentType, contentType) }
  }

  /// The same with text of Swift's own.
  public func respond(_ status: Int, text: String, details: StaticString = "direct_response") {
    var text = text
    text.withUTF8 { utf8 in
      respond(status, body: utf8.baseAddress.map { Bytes($0, utf8.count) } ?? Bytes(), details: details)
    }
  }

  /// Whether the response is one that the proxy or a filter made.
  public var isLocalResponse: Bool { state.pointee.localStatus != 0 }

  // MARK: Bodies

  /// Calls this filter's `onRequestBody` for this exchange. To be called in `onRequest`.
  public func watchRequestBody() { state.pointee.requestBodyFilters |= 1 &<< UInt64(state.pointee.filterIndex) }

  /// Calls this filter's `onResponseBody` for this exchange. To be called in `onResponse` or before.
  public func watchResponseBody() { state.pointee.responseBodyFilters |= 1 &<< UInt64(state.pointee.filterIndex) }

  /// Collects the whole request body before the exchange goes on: `return exchange.bufferRequestBody(limit: n)` in
  /// `onRequest`. `onResume` is called when it is complete; `requestBody` then holds it. A longer body is answered with
  /// 413. Without a body, or with one that is buffered already, `onResume` comes at once.
  /// - Parameter limit: bytes, at most 16 MiB.
  public func bufferRequestBody(limit: Int) -> FilterVerdict {
    state.pointee.requestBufferLimit = min(max(limit, 1), BodyScratch.limit)
    return .suspend
  }

  /// Collects the whole response body before the response's head goes out; as `bufferRequestBody`, to be called in
  /// `onResponse`. A longer body is answered with 500.
  public func bufferResponseBody(limit: Int) -> FilterVerdict {
    state.pointee.responseBufferLimit = min(max(limit, 1), BodyScratch.limit)
    return .suspend
  }

  /// The buffered request body; empty unless `bufferRequestBody` has completed.
  public var requestBody: Bytes { state.pointee.bufferedRequestBody.bytes }

  /// The buffered response body, or the body of a local response.
  public var responseBody: Bytes {
    state.pointee.localStatus != 0 ? state.pointee.localBody.bytes : state.pointee.bufferedResponseBody.bytes
  }

  /// Replaces a buffered request body; its Content-Length follows.
  /// - Returns: false beyond 16 MiB.
  @discardableResult
  public func replaceRequestBody(with body: Bytes) -> Bool {
    state.pointee.bufferedRequestBody.assign(body, limit: BodyScratch.limit)
  }

  /// Replaces a buffered response body, or the body of a local response; its Content-Length follows.
  @discardableResult
  public func replaceResponseBody(with body: Bytes) -> Bool {
    if state.pointee.localStatus != 0 { return state.pointee.localBody.assign(body, limit: BodyScratch.limit) }
    return state.pointee.bufferedResponseBody.assign(body, limit: BodyScratch.limit)
  }

  /// The piece at which this filter suspended the exchange in `onRequestBody` or `onResponseBody`; for `onResume`.
  public var heldChunk: Bytes { state.pointee.heldChunk.bytes }

  /// Replaces the held piece.
  @discardableResult
  public func replaceHeldChunk(with bytes: Bytes) -> Bool {
    state.pointee.heldChunk.assign(bytes, limit: BodyScratch.limit)
  }

  /// Whether the request has a body at all.
  public var hasRequestBody: Bool { state.pointee.request.framing != .none }

  // MARK: Where it goes

  /// Sends the request to this address of the route's service instead of the one that the load balancer would choose.
  /// - Parameter isStrict: an address that is no endpoint of the service fails the exchange (503); otherwise it is
  ///   ignored.
  public func overrideUpstream(_ address: Bytes, isStrict: Bool = false) {
    state.pointee.upstreamOverride = OwnedBytes(address)
    state.pointee.isUpstreamOverrideStrict = isStrict
  }

  /// Closes the client's connection when this exchange has ended; the response says so. Too late once its head has been
  /// sent.
  public func drainConnection() { worker.drainConnection(reference) }

  /// Finds the route anew when the request side of the chain has ended, for a filter that has changed what routes match
  /// on. The chain itself stays the one that runs.
  public func clearRoute() { state.pointee.clearRoute = true }

  /// Sends a copy of the request to `service` as well; its response is ignored. At most 8 an exchange.
  public func mirror(to service: ServiceReference) {
    if state.pointee.mirrors.count < 8 { state.pointee.mirrors.append(service) }
  }

  /// Decides on repetitions of failed attempts. Kept by the filter, which must outlive the exchange, as filters do.
  /// Takes the place of an earlier filter's policy, which is told that the exchange is finished with it.
  public func setRetryPolicy(_ policy: RetryPolicy) {
    if let earlier = state.pointee.retryPolicy { earlier._withUnsafeGuaranteedRef { $0.finished(self) } }
    state.pointee.retryPolicy = Unmanaged.passUnretained(policy)
  }

  /// Attempts at upstreams so far.
  public var attempts: Int { state.pointee.attempts }

  // MARK: What there is to know

  /// The client's address: the peer's, or what X-Forwarded-For says as far as trusted proxies wrote it.
  public var clientAddress: SocketAddress { state.pointee.clientAddress }
  /// The other end of the client's connection.
  public var peerAddress: SocketAddress { state.pointee.peerAddress }
  /// This end of the client's connection.
  public var localAddress: SocketAddress { state.pointee.localAddress }
  /// The endpoint of the last attempt.
  public var upstreamAddress: SocketAddress { state.pointee.upstreamAddress }
  /// `namespace/route#rule`.
  public var routeName: Bytes { state.pointee.routeName }
  /// `namespace/service:port` that the route chose.
  public var serviceName: Bytes { state.pointee.serviceName }
  public var listenerName: Bytes { state.pointee.listenerName }
  public var routeMetadata: RouteMetadata? { state.pointee.routeMetadata }
  /// Bytes of the path that the route's PathPrefix matched; 0 for another kind of match.
  public var matchedPrefixLength: Int { state.pointee.matchedPrefixLength }
  /// Whether the client came over TLS.
  public var isTLS: Bool { state.pointee.isTLS }
  /// What is known of the client's TLS connection; nil for a plain one.
  public var tls: DownstreamTLS? { state.pointee.tls?.takeUnretainedValue() }
  /// `http` or `https`, as the client came.
  public var scheme: Bytes { state.pointee.isTLS ? Bytes("https") : Bytes("http") }
  /// When the request's head was complete: nanoseconds since 1970.
  public var startedAt: UInt64 { state.pointee.startedWall }
  /// Monotonic nanoseconds at the same moment.
  public var started: UInt64 { state.pointee.started }
  /// Body bytes that came from the client; for `onLog`.
  public var receivedBytes: UInt64 { state.pointee.receivedBytes }
  /// Body bytes that went to the client; for `onLog`.
  public var sentBytes: UInt64 { state.pointee.sentBytes }
  /// The status that the client was sent, 0 when no response was begun; for `onLog`.
  public var finalStatus: Int { state.pointee.finalStatus }
  public var responseFlags: ResponseFlags { state.pointee.responseFlags }
  public var responseDetails: StaticString { state.pointee.details }
  /// Adds to the flags that access logs and metrics show.
  public func addFlags(_ flags: ResponseFlags) { state.pointee.responseFlags.formUnion(flags) }

  /// Values that filters of this exchange share.
  public var metadata: DynamicMetadata {
    if let m = state.pointee.metadata { return m }
    let made = DynamicMetadata()
    state.pointee.metadata = made
    return made
  }
}
