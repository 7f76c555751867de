/// What a backend without a handler of its own answers, by path. Numbers are parameters of the query.
enum BackendPaths {
  /// Bytes that a body of any length is made of; a mistake in order or number shows.
  static func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
      for i in 0..<count { memory[i] = UInt8(truncatingIfNeeded: (start + i) % 251) }
      initialized = count
    }
  }

  /// 251 times 1024 bytes of the pattern, which follow one another without a break.
  private static let block = pattern(251 * 1024)

  /// Sends so many bytes of the pattern.
  static func sendPattern(_ count: Int, on socket: StreamSocket) throws {
    var left = count
    while left >= block.count {
      try socket.send(block, within: 120)
      left -= block.count
    }
    if left > 0 { try socket.send(Array(block[..<left]), within: 120) }
  }

  @Sendable static func answer(_ connection: BackendConnection, _ request: inout HTTPMessage) throws {
    let n = request.number("n", 0)
    switch request.path {
    case "/echo":
      // The request as it came, head and body.
      try connection.read(&request)
      try connection.respond(to: request, body: Array(request.head.utf8) + request.body)
    case "/body":
      try connection.read(&request)
      try connection.respond(to: request, body: request.body)
    case "/count":
      // How many bytes the request's body had.
      try connection.read(&request, keep: false)
      try connection.respond(to: request, body: Array(String(request.bodyLength).utf8))
    case "/status":
      try connection.read(&request)
      try connection.respond(request.number("code", 200), to: request)
    case "/big":
      try connection.read(&request)
      try connection.send("HTTP/1.1 200 OK\r\ncontent-length: \(n)\r\n\r\n")
      if request.method != "HEAD" { try sendPattern(n, on: connection.socket) }
    case "/chunk":
      try connection.read(&request)
      try chunks(n, size: request.number("size", 1000), connection)
    case "/close":
      // A body without a length: it ends with the connection.
      try connection.read(&request)
      try connection.send("HTTP/1.1 200 OK\r\n\r\n")
      try sendPattern(n, on: connection.socket)
      connection.isFinished = true
    case "/old":
      try connection.read(&request)
      try connection.send("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold")
      connection.isFinished = true
    case "/last":
      try connection.read(&request)
      try connection.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlast")
      connection.isFinished = true
    case "/slow":
      try connection.read(&request)
      pause(milliseconds: request.number("ms", 100))
      try connection.respond(to: request, body: Array("slow".utf8))
    case "/drip":
      // n bytes, one every so many milliseconds.
      try connection.read(&request)
      try connection.send("HTTP/1.1 200 OK\r\ncontent-length: \(n)\r\n\r\n")
      for _ in 0..<n {
        pause(milliseconds: request.number("ms", 100))
        try connection.send("d")
      }
    case "/early":
      // Answers before it reads the body, and reads it afterwards.
      try connection.respond(to: request, body: Array("early".utf8))
      try connection.read(&request, keep: false)
    case "/early-close":
      // Answers before it reads the body, and will not read it.
      try connection.send("HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 8\r\n\r\ntoo much")
      connection.socket.shutdownWrite()
      connection.isFinished = true
      while try !connection.reader.some().isEmpty {}
    case "/continue":
      try connection.send("HTTP/1.1 100 Continue\r\n\r\n")
      try connection.read(&request)
      try connection.respond(to: request, body: request.body)
    case "/hints":
      try connection.read(&request)
      try connection.send(
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
      try connection.respond(to: request, body: Array("hinted".utf8))
    case "/hang":
      try connection.read(&request)
      _ = try connection.reader.some()
      connection.isFinished = true
    case "/hang-unread":
      // Reads nothing of the body and never answers.
      try eventually("the end of the test", within: 120) { connection.isAbandoned }
      connection.isFinished = true
    case "/reset":
      connection.socket.reset()
      connection.isFinished = true
    case "/fin":
      try connection.read(&request)
      connection.isFinished = true
    case "/cut":
      try connection.read(&request)
      try connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut short")
      connection.isFinished = true
    case "/cut-chunk":
      try connection.read(&request)
      try connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n5\r\ncu")
      connection.isFinished = true
    case "/upgrade": try upgrade(connection, request)
    default:
      try connection.read(&request)
      try connection.respond(to: request, body: Array("\(connection.backendName)\n".utf8))
    }
  }

  private static func chunks(_ n: Int, size: Int, _ connection: BackendConnection) throws {
    try connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, x-note\r\n\r\n")
    var sent = 0
    while sent < n {
      let count = min(size, n - sent)
      try connection.send("\(String(count, radix: 16));ext=1;note=\"a;b\"\r\n")
      try connection.socket.send(pattern(count, from: sent))
      try connection.send("\r\n")
      sent += count
    }
    try connection.send("0;end\r\nx-sum: \(n)\r\nx-note: over\r\n\r\n")
  }

  /// Switches to a protocol whose only rule is that everything comes back.
  private static func upgrade(_ connection: BackendConnection, _ request: HTTPMessage) throws {
    connection.isFinished = true
    guard request["upgrade"] == "echo", request["connection"]?.lowercased() == "upgrade" else {
      return try connection.respond(426, ["upgrade: echo", "connection: upgrade"], to: request)
    }
    try connection.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello\n")
    while true {
      let bytes = try connection.reader.some()
      if bytes.isEmpty { return connection.socket.shutdownWrite() }
      try connection.socket.send(bytes)
    }
  }
}
