import WeftHTTP
import WeftIO

/// One side of an HTTP/2 connection in memory, which writes down what happens to it.
final class Peer: HTTP2Session {
  final class Stream {
    let id: Int32
    var head = MessageHead()
    var fault: HTTP2HeadError?
    var heads = 0
    var body: [UInt8] = []
    var trailers = HeaderTable()
    var hasEnded = false
    var closedWith: UInt32?
    /// What is to be sent.
    var output: [UInt8] = []
    var outputEnds = true
    var trailersToSend: [(String, String)] = []

    init(_ id: Int32) { self.id = id }

    var fields: [String] {
      (0..<head.headers.count).filter { !head.headers.isRemoved($0) }
        .map { "\(head.headers.name(at: $0).string): \(head.headers.value(at: $0).string)" }
    }
    var trailerFields: [String] {
      (0..<trailers.count).map { "\(trailers.name(at: $0).string): \(trailers.value(at: $0).string)" }
    }
  }

  var streams: [Int32: Stream] = [:]
  var limits = HTTPLimits()
  var consumes = true
  var pongs = 0
  var goneAway: UInt32?
  var refuses = false
  private var inTrailers = false

  func stream(_ context: UnsafeMutableRawPointer) -> Stream {
    Unmanaged<Stream>.fromOpaque(context).takeUnretainedValue()
  }

  func add(_ id: Int32) -> Stream {
    let s = Stream(id)
    streams[id] = s
    setContext(id, Unmanaged.passUnretained(s).toOpaque())
    return s
  }

  override func headBegan(_ id: Int32, _ context: UnsafeMutableRawPointer?, isFirst: Bool) -> Bool {
    if refuses { return false }
    let s = context.map { stream($0) } ?? add(id)
    inTrailers = role == .server ? !isFirst : s.head.status >= 200
    if inTrailers { builder.pointee.beginTrailers() } else { builder.pointee.begin(&s.head) }
    return true
  }

  override func field(_ id: Int32, _ context: UnsafeMutableRawPointer, _ name: Bytes, _ value: Bytes) {
    let s = stream(context)
    if inTrailers {
      builder.pointee.addTrailer(name, value, to: &s.trailers, limits: limits)
    } else if role == .server {
      builder.pointee.addRequest(name, value, to: &s.head, limits: limits)
    } else {
      builder.pointee.addResponse(name, value, to: &s.head, limits: limits)
    }
  }

  override func headEnded(_ id: Int32, _ context: UnsafeMutableRawPointer, endsStream: Bool) {
    let s = stream(context)
    s.heads += 1
    if inTrailers {
      s.fault = builder.pointee.trailerFault
    } else if role == .server {
      s.fault = builder.pointee.finishRequest(&s.head, endsStream: endsStream)
    } else {
      s.fault = builder.pointee.finishResponse(&s.head, to: .get, endsStream: endsStream)
    }
    if endsStream { s.hasEnded = true }
  }

  override func data(_ id: Int32, _ context: UnsafeMutableRawPointer, _ bytes: Bytes) {
    stream(context).body += bytes.array
    if consumes { consumed(id, bytes.count) }
  }

  override func dataEnded(_ id: Int32, _ context: UnsafeMutableRawPointer) { stream(context).hasEnded = true }

  override func closed(_ id: Int32, _ context: UnsafeMutableRawPointer, _ error: UInt32) {
    stream(context).closedWith = error
  }

  override func supply(_ id: Int32, _ context: UnsafeMutableRawPointer, limit: Int) -> Supply {
    let s = stream(context)
    if s.output.count > limit { return .bytes(limit) }
    if !s.outputEnds { return s.output.isEmpty ? .later : .bytes(s.output.count) }
    if s.trailersToSend.isEmpty { return .last(s.output.count, hasTrailers: false) }
    withFields(s.trailersToSend) { _ = submitTrailers(id, $0) }
    return .last(s.output.count, hasTrailers: true)
  }

  override func take(_ id: Int32, _ context: UnsafeMutableRawPointer, _ count: Int, into w: inout ByteWriter) {
    let s = stream(context)
    s.output.withUnsafeBufferPointer { b in
      if let base = b.baseAddress { w.append(base, count) }
    }
    s.output.removeFirst(count)
  }

  override func pongReceived() { pongs += 1 }
  override func goAwayReceived(last: Int32, _ error: UInt32) { goneAway = error }

  /// Everything that it has to say now.
  func output() -> [UInt8] {
    var all: [UInt8] = []
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64 * 1024) { memory in
      guard let base = memory.baseAddress else { return }
      while true {
        var w = ByteWriter(base, memory.count)
        _ = write(into: &w)
        if w.count == 0 { return }
        all += w.bytes.array
      }
    }
    return all
  }

  func input(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { b in
      guard let base = b.baseAddress else { return true }
      return receive(Bytes(base, b.count))
    }
  }

  func respond(_ s: Stream, _ fields: [(String, String)], body: String = "", ends: Bool = true) {
    s.output = Array(body.utf8)
    s.outputEnds = ends
    withFields(fields) { _ = submitResponse(s.id, $0, hasBody: !body.isEmpty || !ends || !s.trailersToSend.isEmpty) }
  }

  func request(_ fields: [(String, String)], body: String? = nil) -> Stream {
    let s = Stream(0)
    s.output = Array((body ?? "").utf8)
    var id: Int32?
    withFields(fields) {
      id = submitRequest($0, hasBody: body != nil, context: Unmanaged.passUnretained(s).toOpaque())
    }
    streams[id ?? -1] = s
    return s
  }
}

func withFields(_ fields: [(String, String)], _ body: (borrowing HTTP2FieldList) -> Void) {
  var list = HTTP2FieldList()
  let owned = fields.map { (OwnedBytes($0.0), OwnedBytes($0.1)) }
  withExtendedLifetime(owned) {
    for (name, value) in owned { list.append(name.bytes, value.bytes) }
    body(list)
  }
}

/// A client and a server that talk to each other.
struct Pair {
  let client: Peer
  let server: Peer

  init(_ settings: HTTP2Settings = HTTP2Settings(), client clientSettings: HTTP2Settings = HTTP2Settings()) throws {
    client = try Peer(role: .client, settings: clientSettings)
    server = try Peer(role: .server, settings: settings)
  }

  /// Carries bytes to and fro until both are silent.
  @discardableResult
  func talk() -> Bool {
    var isFine = true
    while true {
      let up = client.output()
      if !up.isEmpty { isFine = server.input(up) && isFine }
      let down = server.output()
      if !down.isEmpty { isFine = client.input(down) && isFine }
      if up.isEmpty && down.isEmpty { return isFine }
    }
  }

  static let get = [(":method", "GET"), (":scheme", "http"), (":authority", "example.org"), (":path", "/a?b=c")]
}
