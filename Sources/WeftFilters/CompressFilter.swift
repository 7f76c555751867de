import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// `compress` on one worker.
final class CompressFilter: HTTPFilter {
  /// One response that is being compressed.
  private final class Job {
    let stream: GzipStream
    let flush: GzipStream.Flush

    init(_ stream: GzipStream, _ flush: GzipStream.Flush) {
      self.stream = stream
      self.flush = flush
    }
  }

  private let compress: Compress
  private var output = GrowableBytes()
  /// Streams that wait for their next response.
  private var idle: [GzipStream] = []
  private var active = 0
  private let compressed: Counter
  private let notAccepted: Counter
  private let notEligible: Counter
  private let busy: Counter
  private let failed: Counter
  private let received: Counter
  private let sent: Counter

  /// Streams that are kept for reuse.
  private static let idleLimit = 16
  /// Bytes of a body that is whole already beyond which it is left alone: it has to fit a piece, compressed or not.
  private static let wholeLimit = 15 << 20

  private static let acceptEncoding = HeaderName("accept-encoding")
  private static let acceptRanges = HeaderName("accept-ranges")
  private static let cacheControl = HeaderName("cache-control")
  private static let contentEncoding = HeaderName("content-encoding")
  private static let contentLength = HeaderName("content-length")
  private static let contentRange = HeaderName("content-range")
  private static let contentType = HeaderName("content-type")
  private static let etag = HeaderName("etag")
  /// Of content that must reach the client as it is (RFC 9530, RFC 3230, RFC 2616 14.15).
  private static let digests = [
    HeaderName("content-digest"), HeaderName("repr-digest"), HeaderName("digest"), HeaderName("content-md5"),
  ]

  // What is kept of a request whose Accept-Encoding was taken away; no pointer to a job is that small.
  private static let accepts: UInt = 1
  private static let refuses: UInt = 2

  init(_ compress: Compress, _ worker: WorkerContext) {
    self.compress = compress
    compressed = compress.responses.counter(worker, "compressed")
    notAccepted = compress.responses.counter(worker, "not_accepted")
    notEligible = compress.responses.counter(worker, "not_eligible")
    busy = compress.responses.counter(worker, "busy")
    failed = compress.responses.counter(worker, "failed")
    received = compress.received.counter(worker)
    sent = compress.sent.counter(worker)
  }

  override var phases: FilterPhases { compress.removesAcceptEncoding ? [.request, .response] : .response }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    exchange.filterNumber = AcceptEncoding.prefersGzip(exchange.request.headers) ? Self.accepts : Self.refuses
    exchange.request.headers.remove(Self.acceptEncoding)
    return .next
  }

  // MARK: The head

  override func onResponse(_ exchange: Exchange) -> FilterVerdict {
    // Another response took the place of one that was to be compressed.
    let isAccepted = takeBack(exchange) ?? AcceptEncoding.prefersGzip(exchange.request.headers)
    if exchange.response.status == 304 {
      // It stands for a response that was compressed, and has the validator of that.
      if isAccepted { weakenETag(exchange) }
      addVary(exchange)
      notEligible.add()
      return .next
    }
    guard isEligible(exchange) else {
      notEligible.add()
      return .next
    }
    addVary(exchange)
    if !isAccepted {
      notAccepted.add()
      return .next
    }
    let isHead = exchange.request.isHead
    if !isHead {
      guard let job = start(exchange) else { return .next }
      exchange.filterState = Unmanaged.passRetained(job).toOpaque()
      exchange.watchResponseBody()
    }
    compressed.add()
    exchange.response.headers.add(Self.contentEncoding, Bytes("gzip"))
    exchange.response.headers.remove(Self.contentLength)
    exchange.response.headers.remove(Self.acceptRanges)
    weakenETag(exchange)
    return .next
  }

  private func isEligible(_ exchange: Exchange) -> Bool {
    let status = exchange.response.status
    if status < 200 || status == 204 || status == 205 || status == 206 || exchange.response.upgrade { return false }
    if exchange.response.headers.find(Self.contentEncoding) != nil { return false }
    if exchange.response.headers.find(Self.contentRange) != nil { return false }
    guard let type = exchange.response.headers.value(Self.contentType), matches(type) else { return false }
    if let length = length(exchange), length < compress.minLength { return false }
    if FieldList.contains(exchange.response.headers, Self.cacheControl, Bytes("no-transform")) { return false }
    if FieldList.contains(exchange.request.headers, Self.cacheControl, Bytes("no-transform")) { return false }
    for digest in Self.digests where exchange.response.headers.find(digest) != nil { return false }
    if exchange.request.isHead { return true }
    if exchange.isLocalResponse { return exchange.responseBody.count <= Self.wholeLimit }
    return exchange.response.framing != .none
  }

  private func matches(_ contentType: Bytes) -> Bool {
    let essence = MediaTypePattern.essence(contentType)
    for pattern in compress.contentTypes where pattern.matches(essence) { return true }
    return false
  }

  /// Bytes of the body; nil when they are not known beforehand.
  private func length(_ exchange: Exchange) -> Int? {
    if exchange.isLocalResponse { return exchange.responseBody.count }
    if case .length(let n) = exchange.response.framing { return Int(clamping: n) }
    // Of the response to HEAD, what GET would have brought.
    return exchange.response.headers.value(Self.contentLength)?.decimal.map { Int(clamping: $0) }
  }

  private func addVary(_ exchange: Exchange) {
    FieldList.addVary(&exchange.response.headers, Bytes("Accept-Encoding"), lower: Bytes("accept-encoding"))
  }

  /// A strong validator says that the bytes are the same (RFC 9110 8.8.1), which they are not any more.
  private func weakenETag(_ exchange: Exchange) {
    guard let tag = exchange.response.headers.value(Self.etag), !tag.hasPrefix(Bytes("W/")) else { return }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1024) { memory in
      guard let base = memory.baseAddress else { return }
      var w = ByteWriter(base, memory.count)
      w.append("W/")
      w.append(tag)
      if w.overflow {
        exchange.response.headers.remove(Self.etag)
      } else {
        exchange.response.headers.set(Self.etag, w.bytes)
      }
    }
  }

  // MARK: The body

  private func start(_ exchange: Exchange) -> Job? {
    if active >= compress.maxStreams {
      busy.add()
      return nil
    }
    guard let stream = idle.popLast() ?? GzipStream(level: compress.level) else {
      failed.add()
      return nil
    }
    active += 1
    let isStream: Bool
    switch compress.flush {
    case .always: isStream = true
    case .never: isStream = false
    case .auto: isStream = length(exchange) == nil
    }
    return Job(stream, isStream ? .sync : .none)
  }

  override func onResponseBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    guard exchange.filterNumber > Self.refuses, let state = exchange.filterState else { return .next }
    let job = Unmanaged<Job>.fromOpaque(state).takeUnretainedValue()
    if chunk.bytes.isEmpty && !chunk.isLast { return .next }
    output.reset()
    received.add(UInt64(chunk.bytes.count))
    let isWhole =
      job.stream.compress(chunk.bytes, chunk.isLast ? .finish : job.flush, into: &output)
      && chunk.replace(with: output.bytes)
    if !isWhole {
      // The head is out: all that is left is to break off, which the proxy does when a filter answers this late.
      failed.add()
      giveBack(exchange, isUsable: false)
      exchange.respond(500, details: "compress_failed")
      return .respond
    }
    sent.add(UInt64(output.count))
    if chunk.isLast { giveBack(exchange, isUsable: true) }
    return .next
  }

  override func onEnd(_ exchange: Exchange) { _ = takeBack(exchange) }

  /// Forgets what is kept for the exchange; says whether the request accepted gzip, when that was kept.
  private func takeBack(_ exchange: Exchange) -> Bool? {
    let kept = exchange.filterNumber
    if kept > Self.refuses {
      giveBack(exchange, isUsable: true)
      return true
    }
    exchange.filterNumber = 0
    return kept == 0 ? nil : kept == Self.accepts
  }

  private func giveBack(_ exchange: Exchange, isUsable: Bool) {
    guard let state = exchange.filterState else { return }
    exchange.filterState = nil
    let job = Unmanaged<Job>.fromOpaque(state).takeRetainedValue()
    active -= 1
    if isUsable && idle.count < Self.idleLimit && job.stream.reset() { idle.append(job.stream) }
  }
}
