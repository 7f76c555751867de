import Glibc
import WeftHTTP
import WeftIO

/// The admin endpoint: a small HTTP server on the supervisor's loop, away from the data path. One request a connection.
final class AdminServer {
  private let listener: Int32
  private let loop: EventLoop
  private unowned let supervisor: Supervisor
  private var connections: [Int32: Connection] = [:]

  private static let connectionLimit = 64
  private static let headLimit = 16 * 1024
  /// Milliseconds for a connection, from accept to close.
  private static let timeout: UInt64 = 10_000

  private final class Connection {
    var input: [UInt8] = []
    var output: [UInt8] = []
    var sent = 0
    let number: UInt64
    init(number: UInt64) { self.number = number }
  }
  private var accepted: UInt64 = 0
  /// Descriptors to give up when traffic has taken all others: this is when one wants to look inside.
  private var spares: [Int32] = []
  private static let spareCount = 4

  init(_ address: SocketAddress, supervisor: Supervisor) throws {
    self.supervisor = supervisor
    loop = supervisor.loop
    listener = try Socket.listen(address)
    try loop.add(listener, readable: true) { [unowned self] _ in accept() }
    refillSpares()
  }

  private func refillSpares() {
    while spares.count < Self.spareCount {
      let fd = open("/dev/null", O_RDONLY | O_CLOEXEC)
      if fd < 0 { return }
      spares.append(fd)
    }
  }

  /// Where it listens, with the port that the system chose if it was asked to.
  var address: SocketAddress { Socket.localAddress(listener) }

  private func accept() {
    for _ in 0..<16 {
      var peer = SocketAddress()
      var outcome = Socket.accept(listener, peer: &peer)
      if case .exhausted = outcome, let spare = spares.popLast() {
        Socket.close(spare)
        outcome = Socket.accept(listener, peer: &peer)
      }
      if case .exhausted = outcome { return pause() }
      guard case .connection(let fd) = outcome else { return }
      if connections.count >= Self.connectionLimit {
        Socket.close(fd)
        continue
      }
      accepted += 1
      let number = accepted
      connections[fd] = Connection(number: number)
      do {
        try loop.add(fd, readable: true) { [unowned self] readiness in ready(fd, readiness) }
      } catch {
        connections[fd] = nil
        Socket.close(fd)
        continue
      }
      loop.after(Self.timeout) { [weak self] in
        if let self, connections[fd]?.number == number { close(fd) }
      }
    }
  }

  /// Looks away for a moment: the listener stays readable, and the loop would spin.
  private func pause() {
    try? loop.update(listener, readable: false, writable: false)
    loop.after(100) { [weak self] in
      guard let self else { return }
      refillSpares()
      try? loop.update(listener, readable: true, writable: false)
    }
  }

  private func ready(_ fd: Int32, _ readiness: Readiness) {
    guard let connection = connections[fd] else { return }
    if connection.output.isEmpty { receive(fd, connection) } else { send(fd, connection) }
  }

  private func receive(_ fd: Int32, _ connection: Connection) {
    let room = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { memory -> IOResult in
      guard let base = memory.baseAddress else { return IOResult(raw: -Int(ENOMEM)) }
      let result = Socket.receive(fd, base, 4096)
      if result.raw > 0 { connection.input += UnsafeBufferPointer(start: base, count: result.raw) }
      return result
    }
    if room.wouldBlock { return }
    if room.raw <= 0 || connection.input.count > Self.headLimit { return close(fd) }
    var head = MessageHead()
    let outcome = connection.input.withUnsafeBufferPointer { bytes -> ParseOutcome in
      guard let base = bytes.baseAddress else { return .incomplete }
      let outcome = HTTP1Parser.parseRequest(base, bytes.count, into: &head, limits: HTTPLimits())
      if case .complete = outcome {
        let request = AdminRequest(
          method: head.headers.text(head.methodText).string, path: head.path.string, query: head.query.string,
          accept: head.headers.value(HeaderName("accept"))?.string ?? "",
          isFromWebPage: head.headers.value(HeaderName("origin")) != nil)
        connection.output = AdminRoutes(supervisor).answer(request).bytes(isHead: head.isHead)
      }
      return outcome
    }
    switch outcome {
    case .incomplete: return
    case .malformed(let error):
      connection.output = AdminResponse(status: error.status, text: "\(error.message)\n").bytes(isHead: false)
    case .complete: break
    }
    send(fd, connection)
  }

  private func send(_ fd: Int32, _ connection: Connection) {
    while connection.sent < connection.output.count {
      let result = connection.output.withUnsafeBufferPointer { bytes -> IOResult in
        guard let base = bytes.baseAddress else { return IOResult(raw: -Int(EINVAL)) }
        return Socket.send(fd, base + connection.sent, bytes.count - connection.sent)
      }
      if result.wouldBlock {
        try? loop.update(fd, readable: false, writable: true)
        return
      }
      if result.raw <= 0 { return close(fd) }
      connection.sent += result.raw
    }
    Socket.shutdownWrite(fd)
    close(fd)
  }

  private func close(_ fd: Int32) {
    connections[fd] = nil
    loop.remove(fd)
    Socket.close(fd)
    refillSpares()
  }
}

/// A request to the admin endpoint.
struct AdminRequest {
  let method: String
  let path: String
  let query: String
  let accept: String
  /// It has an Origin (RFC 6454), which browsers add to what pages send.
  let isFromWebPage: Bool

  /// The value of a query parameter.
  func parameter(_ name: String) -> String? {
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1)
      if parts.first.map(String.init) == name { return parts.count > 1 ? String(parts[1]) : "" }
    }
    return nil
  }
}

/// An answer of the admin endpoint.
struct AdminResponse {
  var status = 200
  var contentType = "text/plain; charset=utf-8"
  var body: [UInt8]

  init(status: Int = 200, text: String) {
    self.status = status
    body = Array(text.utf8)
  }

  init(status: Int = 200, json: String) {
    self.status = status
    contentType = "application/json"
    body = Array((json + "\n").utf8)
  }

  init(contentType: String, body: [UInt8]) {
    self.contentType = contentType
    self.body = body
  }

  func bytes(isHead: Bool) -> [UInt8] {
    let head =
      "HTTP/1.1 \(status) \(StatusCode.reason(status))\r\ncontent-type: \(contentType)\r\n"
      + "content-length: \(body.count)\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    return Array(head.utf8) + (isHead ? [] : body)
  }
}
