import WeftHTTP
import WeftIO

/// What must hold for any input whatever. Each check gives what does not hold, or nil.
///
/// Used by the tests over the corpus and its mutations, and by the fuzzer.
enum CodecProperties {
  /// Limits that short inputs reach.
  static let tightLimits = HTTPLimits(maxRequestLine: 40, maxHeadBytes: 160, maxFields: 5)

  static func violation(of input: [UInt8], limits: HTTPLimits = HTTPLimits()) -> String? {
    violation(inRequest: input, limits) ?? violation(inResponse: input, to: .get, limits)
      ?? violation(inResponse: input, to: .head, limits) ?? violation(inChunked: input)
  }

  /// A number that depends on the input alone.
  static func seed(_ input: [UInt8]) -> UInt64 {
    input.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
  }

  /// The lengths at which the input arrives: every one when it is short, else some that depend on the input alone.
  static func arrivals(_ input: [UInt8]) -> [Int] {
    if input.count <= 96 { return Array(0...input.count) }
    var random = SmallRandom(seed: seed(input))
    var lengths = Set((0..<12).map { _ in random.below(input.count) })
    // Around the limits a byte more or less decides.
    for limit in [40, 160, 8192, 16384] {
      for length in (limit - 3)...(limit + 5) where length <= input.count { lengths.insert(length) }
    }
    lengths.insert(input.count)
    return lengths.sorted()
  }

  // MARK: Heads

  private static func violation(inRequest input: [UInt8], _ limits: HTTPLimits) -> String? {
    let parsed = parse(input, arrivals: [input.count], to: nil, limits: limits)
    if let fault = splitViolation(input, parsed, to: nil, limits) { return "request: \(fault)" }
    let naive = NaiveHead.request(input, limits: limits)
    if let fault = meaningViolation(parsed, naive) { return "request: \(fault)" }
    guard let length = parsed.headLength else { return nil }

    let again = parseRequest(bytes(parsed.written), limits: HTTPLimits(maxRequestLine: 9000, maxHeadBytes: 20000))
    var expected = parsed
    expected.outcome = .complete(headLength: parsed.written.unicodeScalars.count)
    if again.outcome != expected.outcome { return "request: what is written is read as \(again.outcome)" }
    if again.target != parsed.target || again.methodText != parsed.methodText || again.framing != parsed.framing {
      return "request: what is written has another meaning"
    }
    if again.rows.contains(where: \.removed) || again.forwarded != parsed.forwarded {
      return "request: what is written has other fields: \(again.forwarded) and not \(parsed.forwarded)"
    }
    return bodyViolation(Array(input[length...]), parsed.framing)
  }

  private static func violation(inResponse input: [UInt8], to method: Method, _ limits: HTTPLimits) -> String? {
    let parsed = parse(input, arrivals: [input.count], to: method, limits: limits)
    if let fault = splitViolation(input, parsed, to: method, limits) { return "response: \(fault)" }
    let naive = NaiveHead.response(input, to: method, limits: limits)
    if let fault = meaningViolation(parsed, naive) { return "response: \(fault)" }
    guard let length = parsed.headLength else { return nil }

    let again = parseResponse(parsed.written, to: method, limits: HTTPLimits(maxHeadBytes: 20000))
    if again.headLength != parsed.written.unicodeScalars.count {
      return "response: what is written is read as \(again.outcome)"
    }
    if again.status != parsed.status || again.framing != parsed.framing {
      return "response: what is written has another meaning"
    }
    if again.rows.contains(where: \.removed) || again.forwarded != parsed.forwarded {
      return "response: what is written has other fields: \(again.forwarded) and not \(parsed.forwarded)"
    }
    return bodyViolation(Array(input[length...]), parsed.framing)
  }

  /// The outcome depends on what has arrived, and not on how: a head that grows bit by bit, one of the same bytes at once
  /// and one with more bytes behind it give the same.
  private static func splitViolation(
    _ input: [UInt8], _ whole: ParsedHead, to method: Method?, _ limits: HTTPLimits
  ) -> String? {
    var growing = MessageHead()
    var fresh = MessageHead()
    for length in arrivals(input) {
      let (grown, atOnce) = withExactCopy(input[..<length]) { p, n in
        fresh.scanned = 0
        return (
          ParsedHead(parseHead(p, n, to: method, into: &growing, limits: limits), growing, isRequest: method == nil),
          ParsedHead(parseHead(p, n, to: method, into: &fresh, limits: limits), fresh, isRequest: method == nil)
        )
      }
      if grown != atOnce { return "\(length) bytes are \(grown.outcome) bit by bit, and at once \(atOnce.outcome)" }
      if grown.outcome != .incomplete {
        return grown == whole ? nil : "its first \(length) bytes are \(grown.outcome), and all \(whole.outcome)"
      }
    }
    return whole.outcome == .incomplete ? nil : "at once it is \(whole.outcome), but no prefix is"
  }

  private static func meaningViolation(_ parsed: ParsedHead, _ naive: NaiveHead?) -> String? {
    guard let naive else { return parsed.headLength == nil ? nil : "accepted, and should not be" }
    guard let length = parsed.headLength else { return "\(parsed.outcome), and should be accepted" }
    var seen = NaiveHead()
    seen.length = length
    seen.method = parsed.methodText
    seen.target = parsed.target
    seen.minorVersion = parsed.minorVersion
    seen.status = parsed.status
    seen.framing = parsed.framing
    seen.keepAlive = parsed.keepAlive
    seen.upgrades = parsed.upgrade
    seen.forwarded = parsed.forwarded
    return seen == naive ? nil : "read as \(seen) and not as \(naive)"
  }

  // MARK: Bodies

  private static func violation(inChunked input: [UInt8]) -> String? { bodyViolation(input, .chunked) }

  private static func bodyViolation(_ input: [UInt8], _ framing: BodyFraming) -> String? {
    let tracked = TrackedBody(input, framing, arrivals: [input.count])
    let decoded = DecodedBody(input, framing, arrivals: [input.count])
    let lengths = arrivals(input)
    if TrackedBody(input, framing, arrivals: lengths) != tracked { return "body: the tracker depends on the split" }
    if DecodedBody(input, framing, arrivals: lengths) != decoded { return "body: the decoder depends on the split" }
    if tracked.end != decoded.end || tracked.dataBytes != decoded.data.count {
      return "body: tracker has \(tracked), decoder \(decoded.end), \(decoded.data.count) bytes"
    }
    if framing != .chunked { return nil }
    let naive = NaiveChunks.decode(input)
    let verdict: NaiveChunks.Verdict =
      switch decoded.end {
      case .complete(let length): .complete(length: length)
      case .incomplete: .incomplete
      case .malformed: .refused
      }
    if verdict != naive.verdict || decoded.data != naive.data { return "body: \(verdict) and not \(naive.verdict)" }
    if decoded.trailers.map({ "\($0.name): \($0.value)" }) != naive.trailers && verdict != .refused {
      return "body: trailers \(decoded.trailers) and not \(naive.trailers)"
    }
    return nil
  }
}

enum BodyEnd: Equatable {
  case incomplete
  case complete(length: Int)
  case malformed(HTTPParseError)
}

/// A body as the tracker sees it.
struct TrackedBody: Equatable {
  var end = BodyEnd.incomplete
  var dataBytes = 0

  /// - Parameter arrivals: how much of `input` there is each time the tracker is asked.
  init(_ input: [UInt8], _ framing: BodyFraming, arrivals: [Int]) {
    var tracker = BodyTracker(framing)
    var at = 0
    for length in arrivals where !tracker.isDone && end == .incomplete {
      let taken = withExactCopy(input[at..<length]) { p, n in tracker.consume(p, n) }
      if taken < 0 { end = .malformed(tracker.fault) } else { at += taken }
    }
    if tracker.isDone { end = .complete(length: at) }
    dataBytes = Int(tracker.dataBytes)
  }
}

/// A body as the decoder sees it.
struct DecodedBody: Equatable {
  var end = BodyEnd.incomplete
  var data: [UInt8] = []
  var trailers: [ParsedHead.Row] = []
  var writtenTrailers = ""

  init(_ input: [UInt8], _ framing: BodyFraming, arrivals: [Int]) {
    var decoder = BodyDecoder(framing)
    var table = HeaderTable()
    var at = 0
    for length in arrivals where end == .incomplete {
      var isWaiting = false
      while !isWaiting && end == .incomplete {
        let step = withExactCopy(input[at..<length]) { p, n in decoder.next(p, n, trailers: &table) }
        switch step {
        case .data(let start, let count, let consumed):
          data += input[(at + start)..<(at + start + count)]
          at += consumed
        case .needMore(let consumed):
          at += consumed
          isWaiting = true
        case .end(let consumed):
          at += consumed
          end = .complete(length: at)
        case .malformed(let fault): end = .malformed(fault)
        }
      }
    }
    trailers = ParsedHead.rows(table)
    var space = [UInt8](repeating: 0, count: 4 * input.count + 1024)
    writtenTrailers = space.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return "" }
      var w = ByteWriter(base, buffer.count)
      HTTP1Writer.lastChunk(trailers: table, into: &w)
      return latin1(w.bytes)
    }
  }
}

/// A small random generator whose numbers depend on its seed alone (splitmix64).
struct SmallRandom {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// A number in `0..<bound`; 0 for a bound of 0.
  mutating func below(_ bound: Int) -> Int { bound <= 0 ? 0 : Int(next() % UInt64(bound)) }
}
