import WeftHTTP
import WeftIO
import WeftTelemetry

/// One request on its way through the chain of a `FilterBench`.
public final class FilterBenchExchange {
  public enum Progress: Sendable, Equatable {
    /// A filter holds the request.
    case request
    /// The request side is through: `respond` or `attemptFails` says what the upstream does.
    case upstream
    /// A filter holds the response.
    case response
    /// The response has left the chain; `response` has it.
    case answered
    /// The exchange has ended.
    case ended
  }

  public internal(set) var progress = Progress.request
  /// What the upstream gets, as far as it has gone; nil before the request side is through.
  public internal(set) var upstreamRequest: FilterBenchMessage?
  /// What the client gets, as far as it has gone; nil before the response's head has left the chain.
  public internal(set) var response: FilterBenchMessage?
  /// Whether the exchange was broken off after the response's head had gone out.
  public internal(set) var isAborted = false

  let bench: FilterBench
  let state: UnsafeMutablePointer<ExchangeState>
  let chain: FilterChain
  private let names: [OwnedBytes]
  /// Lives as long as the state that points at it.
  private let security: DownstreamTLS?
  private var wires: [OwnedBytes] = []

  // The body on its way, of the request first and then of the response.
  var pieces: [[UInt8]] = []
  /// Trailers that follow the pieces, which come with chunked coding only.
  var trailers: [String] = []
  var isBuffering = false
  var isBuffered = false
  var bufferedBy = 0
  var isSuspended = false
  var holdsChunk = false
  var heldChunkIsLast = false
  var headIsOut = false

  init(bench: FilterBench, slot: Int, _ around: FilterBenchSurroundings) {
    self.bench = bench
    chain = bench.chain
    let worker = bench.worker
    state = .allocate(capacity: 1)
    state.initialize(
      to: ExchangeState(slot: slot, clock: worker.clock, worker: .passUnretained(worker), scratch: bench.scratch))
    names = [around.route, around.service, around.listener].map { OwnedBytes($0) }
    state.pointee.chain = .passUnretained(chain)
    state.pointee.requestBodyFilters = chain.requestBodyMask
    state.pointee.responseBodyFilters = chain.responseBodyMask
    state.pointee.routeName = names[0].bytes
    state.pointee.serviceName = names[1].bytes
    state.pointee.listenerName = names[2].bytes
    state.pointee.clientAddress = around.client
    state.pointee.peerAddress = around.client
    state.pointee.localAddress = around.local
    security = around.tls
    state.pointee.tls = around.tls.map { .passUnretained($0) }
    state.pointee.routeMetadata = around.routeMetadata
    state.pointee.matchedPrefixLength = around.matchedPrefixLength
    state.pointee.started = worker.clock.pointee.now
    state.pointee.startedWall = worker.clock.pointee.wall
  }

  deinit {
    end()
    state.deinitialize(count: 1)
    state.deallocate()
  }

  // MARK: What a test may ask

  /// The exchange as filters see it.
  public var handle: Exchange { Exchange(state) }
  public var flags: ResponseFlags { state.pointee.responseFlags }
  public var details: String { "\(state.pointee.details)" }
  /// Whether a filter holds the exchange back.
  public var isHeld: Bool { isSuspended }
  /// Services that filters have asked to be sent a copy.
  public var mirrors: [String] { state.pointee.mirrors.map(\.name) }
  /// The retry policy that a filter has put on the exchange.
  public var retryPolicy: RetryPolicy? { state.pointee.retryPolicy?.takeUnretainedValue() }

  func isCurrent(_ reference: ExchangeReference) -> Bool { progress != .ended && handle.reference == reference }

  /// Fills a table of trailers, and forgets the lines.
  func takeTrailers(into table: inout HeaderTable) {
    table.reset()
    for line in trailers {
      let field = FilterBenchMessage.Field(line: line)
      if let name = HeaderName(field.name) { table.add(name, keep(field.value)) }
    }
    trailers = []
  }

  func keep(_ text: String) -> Bytes {
    let wire = OwnedBytes(text)
    wires.append(wire)
    return wire.bytes
  }

  // MARK: What happens to an exchange

  /// The upstream answers. Only in `.upstream`.
  /// - Parameters:
  ///   - headers: lines of the form `name: value`.
  ///   - body: the pieces in which the body arrives.
  ///   - chunked: the body comes with chunked coding and not with Content-Length.
  ///   - trailers: lines of the form `name: value`; with chunked coding only.
  /// - Throws: `FilterBenchError` for a response that the proxy would not have passed on.
  public func respond(
    _ status: Int, _ headers: [String] = [], body: [String] = [], chunked: Bool = false, trailers: [String] = []
  ) throws(FilterBenchError) {
    try respond(status, headers, bytes: body.map { Array($0.utf8) }, chunked: chunked, trailers: trailers)
  }

  public func respond(
    _ status: Int, _ headers: [String] = [], bytes: [[UInt8]], chunked: Bool = false, trailers: [String] = []
  ) throws(FilterBenchError) {
    if progress != .upstream { throw FilterBenchError(description: "no response is awaited in .\(progress)") }
    try parseResponse(status, headers, length: chunked ? nil : bytes.reduce(0) { $0 + $1.count })
    let hasBody = state.pointee.response.framing != .none
    pieces = hasBody ? (bytes.isEmpty ? [[]] : bytes) : []
    self.trailers = trailers
    isBuffering = false
    isBuffered = false
    bufferedBy = ExchangeState.chainLimit
    bench.worker.runResumed()
    runResponse(chain.response(state, from: chain.count - 1))
    bench.worker.runResumed()
  }

  /// An attempt at the upstream fails, or brings a response that a retry policy is asked about. Only in `.upstream`.
  /// - Returns: milliseconds until the next attempt; nil when there is none and the outcome stands.
  public func attemptFails(_ outcome: AttemptOutcome, _ headers: [String] = []) throws(FilterBenchError) -> UInt32? {
    if progress != .upstream { throw FilterBenchError(description: "no attempt is under way in .\(progress)") }
    if case .response(let status) = outcome { try parseResponse(status, headers, length: 0) }
    guard let pause = state.pointee.retryPolicy?.takeUnretainedValue().backoff(handle, after: outcome) else {
      return nil
    }
    state.pointee.attempts += 1
    return pause
  }

  /// No response comes: the proxy answers with an error of its own, which goes through the chain as any response does.
  /// Only in `.upstream`.
  public func upstreamFails(
    _ status: Int, _ message: StaticString, details: StaticString, flags: ResponseFlags = []
  ) throws(FilterBenchError) {
    if progress != .upstream { throw FilterBenchError(description: "no response is awaited in .\(progress)") }
    handle.respond(status, body: Bytes(message), details: details)
    handle.addFlags(flags)
    respondLocally(from: chain.count - 1)
    bench.worker.runResumed()
  }

  /// The exchange ends: the chain's log phase, then whatever filters hold is given back. Also what a client does that
  /// goes away in the middle. Happens by itself when the last reference goes.
  public func end() {
    if progress == .ended { return }
    let reference = handle.reference
    progress = .ended
    state.pointee.phase = .ended
    state.pointee.finalStatus = state.pointee.response.status
    chain.log(state)
    if state.pointee.statesHeld != 0 { chain.end(state) }
    state.pointee.retryPolicy?.takeUnretainedValue().finished(handle)
    state.pointee.retryPolicy = nil
    bench.worker.forget(reference)
    state.pointee.generation &+= 1
  }

  private func parseResponse(
    _ status: Int, _ headers: [String], length: Int?
  ) throws(FilterBenchError) {
    let lines = FilterBench.complete(response: headers, status, length: length)
    let head = keep("HTTP/1.1 \(status) Test\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n")
    let outcome = HTTP1Parser.parseResponse(
      head.base, head.count, to: state.pointee.request.method, into: &state.pointee.response, limits: HTTPLimits())
    guard case .complete = outcome else {
      throw FilterBenchError(description: "the proxy would refuse this response: \(outcome)")
    }
    state.pointee.phase = .response
  }
}
