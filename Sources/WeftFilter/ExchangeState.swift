import WeftHTTP
import WeftIO
import WeftTelemetry

/// Where an exchange stands in its chain.
@frozen
public enum ExchangePhase: UInt8, Sendable {
  case request, requestBody, requestTrailers, response, responseBody, responseTrailers, ended
}

/// The part of an exchange that filters can reach. Lives in a pool of its worker; `Exchange` is the handle to it.
///
/// The proxy's own struct holds it as its first member, so that a pointer to one is a pointer to the other.
public struct ExchangeState: ~Copyable {
  @usableFromInline package var request = MessageHead()
  @usableFromInline package var response = MessageHead()
  @usableFromInline package var requestTrailers = HeaderTable()
  @usableFromInline package var responseTrailers = HeaderTable()

  /// Slot and generation in the worker's table of exchanges: what an `ExchangeReference` checks.
  package let slot: Int
  package var generation: UInt32 = 0
  @usableFromInline package let clock: UnsafeMutablePointer<WorkerClock>
  package let worker: Unmanaged<WorkerContext>
  package let scratch: UnsafeMutablePointer<BodyScratch>

  // The chain and this exchange's way through it.
  package var chain: Unmanaged<FilterChain>?
  package var phase = ExchangePhase.request
  /// The filter that runs, or at which the exchange is suspended.
  package var filterIndex = 0
  /// Bit i: filter i has taken part.
  package var filtersRun: UInt64 = 0
  package var requestBodyFilters: UInt64 = 0
  package var responseBodyFilters: UInt64 = 0
  /// Bit i: filter i has put something into `states[i]`.
  package var statesHeld: UInt64 = 0
  package let states: UnsafeMutablePointer<UnsafeMutableRawPointer?>

  // What filters ask for.
  package var requestBufferLimit = 0
  package var responseBufferLimit = 0
  package var bufferedRequestBody = GrowableBytes()
  package var bufferedResponseBody = GrowableBytes()
  /// The piece of a body at which a filter has suspended the exchange.
  package var heldChunk = GrowableBytes()
  package var retryPolicy: Unmanaged<RetryPolicy>?
  package var upstreamOverride: OwnedBytes?
  package var isUpstreamOverrideStrict = false
  package var mirrors: [ServiceReference] = []
  package var clearRoute = false
  /// Non-zero: a filter or the proxy itself answers with this status, `response` being the head and `localBody` the body.
  package var localStatus = 0
  /// The filter that answered in `onRequest` is to see its own response.
  package var isAnswerSeenByItsFilter = false
  package var localBody = GrowableBytes()
  package var metadata: DynamicMetadata?

  // What there is to know.
  package var attempts = 0
  /// Bytes of the path that the route's PathPrefix matched.
  package var matchedPrefixLength = 0
  package var requestBodyLength: UInt64 = 0
  package var responseFlags: ResponseFlags = []
  package var details: StaticString = ""
  package var started: UInt64 = 0
  package var startedWall: UInt64 = 0
  package var routeName = Bytes()
  package var routeMetadata: RouteMetadata?
  package var serviceName = Bytes()
  package var listenerName = Bytes()
  /// The address that the proxy trusts to be the client's (X-Forwarded-For and trusted hops considered), without port.
  package var clientAddress = SocketAddress.unknown
  package var peerAddress = SocketAddress.unknown
  package var localAddress = SocketAddress.unknown
  package var upstreamAddress = SocketAddress.unknown
  // Filled in when it ends.
  package var receivedBytes: UInt64 = 0
  package var sentBytes: UInt64 = 0
  package var finalStatus = 0
  /// What is known of the client's TLS connection, which outlives the exchange; nil for a plain one.
  package var tls: Unmanaged<DownstreamTLS>?
  package var isTLS: Bool { @inline(__always) get { tls != nil } }

  package static var chainLimit: Int { 64 }

  package init(
    slot: Int, clock: UnsafeMutablePointer<WorkerClock>, worker: Unmanaged<WorkerContext>,
    scratch: UnsafeMutablePointer<BodyScratch>
  ) {
    self.slot = slot
    self.clock = clock
    self.worker = worker
    self.scratch = scratch
    states = .allocate(capacity: Self.chainLimit)
    states.initialize(repeating: nil, count: Self.chainLimit)
  }

  deinit { states.deallocate() }
}

extension SocketAddress {
  /// Stands where no address is known.
  package static let unknown = SocketAddress()
}

extension ExchangeState {
  /// The last filter that is to see the response of the one that has just answered in the request phase.
  package var lastToSeeAnswer: Int { isAnswerSeenByItsFilter ? filterIndex : filterIndex &- 1 }

  /// Puts everything back as a fresh exchange has it, but for slot, generation and the request's head, which the next
  /// parse fills.
  package mutating func reset() {
    chain = nil
    phase = .request
    filterIndex = 0
    filtersRun = 0
    requestBodyFilters = 0
    responseBodyFilters = 0
    requestBufferLimit = 0
    responseBufferLimit = 0
    bufferedRequestBody.reset()
    bufferedResponseBody.reset()
    heldChunk.reset()
    retryPolicy = nil
    if upstreamOverride != nil { upstreamOverride = nil }
    if !mirrors.isEmpty { mirrors.removeAll() }
    clearRoute = false
    localStatus = 0
    localBody.reset()
    if metadata != nil { metadata = nil }
    attempts = 0
    responseFlags = []
    details = ""
    routeName = Bytes()
    if routeMetadata != nil { routeMetadata = nil }
    serviceName = Bytes()
    matchedPrefixLength = 0
    requestBodyLength = 0
    tls = nil
    request.headers.dropKept()
    response.headers.dropKept()
    if requestTrailers.count > 0 { requestTrailers.reset() }
    if responseTrailers.count > 0 { responseTrailers.reset() }
  }
}

extension UnsafeMutablePointer<ExchangeState> {
  /// Where the response's head is.
  package var response: UnsafeMutablePointer<MessageHead> { withUnsafeMutablePointer(to: &pointee.response) { $0 } }
  /// Where the request's head is.
  package var request: UnsafeMutablePointer<MessageHead> { withUnsafeMutablePointer(to: &pointee.request) { $0 } }
}
