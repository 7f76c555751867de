import Testing

/// A server that keeps every byte it receives and answers as its handler says; without one, by path (see
/// `BackendPaths`).
final class Backend: Sendable {
  typealias Handler = @Sendable (BackendConnection, inout HTTPMessage) throws -> Void

  /// Says in every response, as `x-backend`, who answered.
  let name: String
  let endpoint: SocketEndpoint
  private let listener: ListeningSocket
  private let handler: Handler
  private let accepted = Locked<[BackendConnection]>([])
  private let mistakes = Locked<[String]>([])

  /// - Parameters:
  ///   - endpoint: where to listen; any free port when not given.
  ///   - handler: answers one request, whose body it may still have to read.
  init(_ name: String = "backend", at endpoint: SocketEndpoint = .port(0), handler: Handler? = nil) throws {
    self.name = name
    self.handler = handler ?? BackendPaths.answer
    listener = try ListeningSocket(endpoint)
    self.endpoint = listener.endpoint
    let (listener, accepted) = (listener, accepted)
    BackgroundThread.start { [weak self] in
      while let socket = listener.accept() {
        guard let backend = self else { return }
        socket.setNoDelay()
        let connection = BackendConnection(socket, name: backend.name)
        accepted.withLock { $0.append(connection) }
        let (handler, mistakes) = (backend.handler, backend.mistakes)
        BackgroundThread.start { Backend.serve(connection, handler, mistakes) }
      }
    }
  }

  deinit { stop() }

  var port: Int { if case .port(let port) = endpoint { port } else { 0 } }

  /// Connections so far, closed ones too.
  var connections: [BackendConnection] { accepted.current }

  /// Requests so far, in the order of their connections.
  var requests: [HTTPMessage] { connections.flatMap(\.requests) }

  /// What the proxy did that HTTP/1.1 does not allow.
  var violations: [String] { mistakes.current }

  /// All bytes of all connections.
  var received: [UInt8] { connections.flatMap(\.received) }

  /// Ends connections and listener.
  func stop() {
    listener.stop()
    for connection in connections { connection.abandon() }
  }

  private static func serve(_ connection: BackendConnection, _ handler: Handler, _ mistakes: Locked<[String]>) {
    do {
      while !connection.isFinished {
        var request = try connection.reader.requestHead()
        connection.begin(request)
        try handler(connection, &request)
      }
      connection.socket.shutdownBoth()
    } catch let mistake as MalformedMessage {
      mistakes.withLock { $0.append(mistake.description) }
      connection.socket.close()
    } catch {
      // The proxy may end a connection whenever it likes.
      connection.socket.close()
    }
    connection.closed()
  }
}

/// One connection that a backend has accepted.
final class BackendConnection: @unchecked Sendable {
  let socket: StreamSocket
  /// Of the connection's own thread only.
  let reader: MessageReader
  let backendName: String
  /// No request is to follow: the connection is closed after this one. Of the connection's own thread only.
  var isFinished = false

  private struct Log {
    var received: [UInt8] = []
    var receivedCount = 0
    var requests: [HTTPMessage] = []
    var isOpen = true
    var isAbandoned = false
  }
  private let log = Locked(Log())
  private static let keep = 1 << 20

  init(_ socket: StreamSocket, name: String) {
    self.socket = socket
    backendName = name
    reader = MessageReader(socket, patience: 120)
    reader.record = { [log] bytes in
      log.withLock {
        $0.receivedCount += bytes.count
        if $0.received.count < BackendConnection.keep { $0.received += bytes }
      }
    }
  }

  /// Every byte received, the first mebibyte of them at least.
  var received: [UInt8] { log.withLock { $0.received } }
  var receivedCount: Int { log.withLock { $0.receivedCount } }
  var requests: [HTTPMessage] { log.withLock { $0.requests } }
  var isOpen: Bool { log.withLock { $0.isOpen } }
  /// The test is over: a handler that hangs may go.
  var isAbandoned: Bool { log.withLock { $0.isAbandoned } }

  fileprivate func begin(_ request: HTTPMessage) { log.withLock { $0.requests.append(request) } }

  fileprivate func abandon() {
    log.withLock { $0.isAbandoned = true }
    socket.shutdownBoth()
  }

  fileprivate func closed() { log.withLock { $0.isOpen = false } }

  // MARK: Answering

  /// Reads the request's body to its end.
  /// - Parameter keep: otherwise bytes are only counted.
  func read(_ request: inout HTTPMessage, keep: Bool = true) throws {
    try reader.body(of: &request, keep: keep)
    let whole = request
    log.withLock { $0.requests[$0.requests.count - 1] = whole }
  }

  func send(_ text: String) throws { try socket.send(Array(text.utf8)) }

  /// A response with a Content-Length, unless `fields` say otherwise.
  func respond(_ status: Int = 200, _ fields: [String] = [], to request: HTTPMessage, body: [UInt8] = []) throws {
    var head = "HTTP/1.1 \(status) \(status == 200 ? "OK" : "Status")\r\nx-backend: \(backendName)\r\n"
    for field in fields { head += field + "\r\n" }
    if status != 204 && status != 304 { head += "content-length: \(body.count)\r\n" }
    try socket.send(Array((head + "\r\n").utf8) + (request.method == "HEAD" ? [] : body))
  }
}
