import WeftFilter
import WeftHTTP
import WeftIO

/// How a body passes through the proxy.
enum BodyMode: UInt8 {
  case none
  /// The received bytes as they stand, transfer coding included; only its end is watched for.
  case raw
  /// Decoded, shown to filters, encoded anew.
  case decoded
  /// Held whole; sent from memory.
  case buffered
}

/// What an exchange is doing.
enum Stage: UInt8 {
  /// The chain's request side runs.
  case request
  /// A filter waits for the whole request body.
  case bufferingRequest
  /// Waiting for a connection: a pool's limit, a connect, a back-off before a retry.
  case connecting
  /// The request is on its way; no response yet.
  case sent
  /// The chain's response side runs.
  case response
  /// A filter waits for the whole response body.
  case bufferingResponse
  /// The response's head has been sent.
  case responding
  case done
}

/// The proxy's side of an exchange. `state` is the side that filters see.
struct ProxyExchange: ~Copyable {
  let slot: Int
  let state: UnsafeMutablePointer<ExchangeState>
  var stage = Stage.request
  enum Suspension: UInt8 {
    case none
    /// A filter thinks.
    case filter
    /// Its service is not known yet: a configuration that knows it may come.
    case route
  }

  var suspension = Suspension.none
  /// Neither direction moves.
  @inline(__always)
  var suspended: Bool {
    get { suspension != .none }
    set { suspension = newValue ? .filter : .none }
  }
  /// A wake-up for it is queued already.
  var resumeQueued = false

  var client: ClientRef?
  var upstream: UpstreamRef?
  var snapshot: SnapshotRef?
  var rule: RuleRef?
  var backend: BackendRef?
  var service: ServiceRef?
  var listener: ListenerRef?
  /// Index in `snapshot`'s listeners; -1: none, as calls have.
  var listenerIndex = -1
  /// Who takes the response of a request of the proxy's own.
  var call: ServiceCallTask?
  /// Calls under way that end with this exchange.
  var ownCalls = 0

  /// The session that the request belongs to.
  var session = SessionToken()

  // Request body.
  var requestMode = BodyMode.none
  var requestTracker = BodyTracker(.none)
  var requestDecoder = BodyDecoder(.none)
  /// Goes upstream in chunks rather than with a known length.
  var requestChunked = false
  var requestDone = true
  /// All of the body has been handed to an upstream once, so that a repetition ends with what is kept.
  var requestSent = false
  /// No request: bytes of a whole connection.
  var isOpaque = false
  /// Bytes of `bufferedRequestBody` sent in this attempt.
  var bufferedSent = 0
  /// A filter holds a decoded piece (`state.heldChunk`) while it has the exchange suspended.
  var holdsChunk = false
  var heldChunkIsLast = false
  /// The client waits for a 100 before it sends the body.
  var mustContinue = false
  /// The filter for which the request body is, or was, buffered; -1: none.
  var requestBufferedBy = -1
  var responseBufferedBy = ExchangeState.chainLimit

  // Raw request body bytes kept for a retry or a mirror.
  var replay = GrowableBytes()
  var replayLimit = 0
  var replayLost = false

  // Response body.
  var responseMode = BodyMode.none
  var responseTracker = BodyTracker(.none)
  var responseDecoder = BodyDecoder(.none)
  var responseChunked = false
  var responseStarted = false
  var responseHeadSent = false
  /// Nothing of the response is to come.
  var responseIsComplete = false
  var informational: UInt8 = 0

  /// A regular expression of a route hit its limits: which route is meant is not known.
  var routeFailed = false
  /// No route names the request's host. Valid after a look-up that found none.
  var isHostUnknown = false
  var connectTries: UInt8 = 0
  var staleRetried = false
  /// Endpoints tried by this exchange, to prefer another: the low bits of their numbers.
  var triedEndpoints: UInt64 = 0
  var deadlineTimer = TimerNode()
  var wakeTimer = TimerNode()
  /// Waits in its service's queue for a connection.
  var isPending = false
  /// Waits for `wakeTimer` before the next attempt.
  var isBackingOff = false
  /// Counted among the service's retries.
  var isRetried = false

  /// What policies said, for the log.
  var authorization = AuthorizationRecord()

  // For logs and metrics.
  var bytesReceived: UInt64 = 0
  var bytesSent: UInt64 = 0
  var upstreamStarted: UInt64 = 0
  var upstreamFirstByte: UInt64 = 0

  init(slot: Int, state: UnsafeMutablePointer<ExchangeState>) {
    self.slot = slot
    self.state = state
  }

  deinit {
    state.deinitialize(count: 1)
    state.deallocate()
  }

  @inline(__always) var generation: UInt32 { state.pointee.generation }
  @inline(__always) var reference: ExchangeReference { ExchangeReference(slot: slot, generation: generation) }
  @inline(__always) var handle: Exchange { Exchange(state) }
}
