import Glibc
import Testing

@Suite("Backpressure", .endToEnd)
struct BackpressureTests {
  private static let mebibyte = 1 << 20

  /// What a proxy may use for each connection that a slow peer holds up, in kilobytes.
  private static let connectionLimit = 1024
  /// What the whole process may grow by beside that: allocators keep what they once had.
  private static let slack = 4096

  /// Sends a request to everything that the proxy has, so that what it takes once is taken.
  private func warmUp(_ scene: Scene) throws -> Int {
    for _ in 0..<20 {
      let client = try scene.client()
      _ = try client.get("/big?n=2000000")
      _ = try client.exchange(
        "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + String(repeating: "x", count: 1_000_000))
    }
    return scene.weft.process.memory
  }

  /// Waits until a number stands still.
  private func settled(_ what: String, _ value: () -> Int) throws -> Int {
    var last = -1
    var same = 0
    return try eventually("\(what) to stand still", within: 60) {
      pause(milliseconds: 50)
      let now = value()
      same = now == last ? same + 1 : 0
      last = now
      return same >= 10 ? now : nil
    }
  }

  private func download(_ size: Int, clients count: Int) throws {
    let scene = try Scene()
    defer { scene.stop() }
    let idle = try warmUp(scene)
    let clients = try (0..<count).map { _ in try scene.client() }
    for client in clients { try client.send(HTTPText.get("/big?n=\(size)")) }
    for client in clients { _ = try client.reader.line() }
    // Nobody reads: after a while nothing moves any more, and the backend has not got rid of all.
    let peak = try settled("memory") { scene.weft.process.memory }
    let grown = peak - idle
    #expect(grown < count * Self.connectionLimit + Self.slack, "grew by \(grown) KB with \(count) clients")
    // Now everything arrives, in order.
    let readers = clients.map { client in
      let socket = client.reader
      nonisolated(unsafe) let reader = socket
      return BackgroundWork { try Self.check(reader, size) }
    }
    var highest = 0
    while !readers.allSatisfy(\.isDone) {
      highest = max(highest, scene.weft.process.memory)
      pause(milliseconds: 20)
    }
    for reader in readers { #expect(try reader.value() == size) }
    #expect(highest - idle < count * Self.connectionLimit + Self.slack, "grew by \(highest - idle) KB while it flowed")
    #expect(scene.weft.process.status("VmHWM") ?? 0 - idle < 100_000)
  }

  /// Reads the rest of a head and a body of the pattern, by comparing blocks.
  /// - Returns: how many bytes of the body were as they should be.
  private static func check(_ reader: MessageReader, _ size: Int) throws -> Int {
    while try !reader.line().isEmpty {}
    let pattern = BackendPaths.pattern(251 * 1024)
    var count = 0
    while count < size {
      let bytes = try reader.some()
      if bytes.isEmpty { return count }
      var at = 0
      while at < bytes.count {
        let from = (count + at) % 251
        let n = min(bytes.count - at, pattern.count - from)
        let equal = bytes.withUnsafeBytes { b in
          pattern.withUnsafeBytes { p in
            b.baseAddress.flatMap { b in p.baseAddress.map { memcmp(b + at, $0 + from, n) } } == 0
          }
        }
        if !equal { throw MalformedMessage("a wrong byte near \(count + at)") }
        at += n
      }
      count += bytes.count
    }
    return count
  }

  @Test("a slow client holds up its backend, and memory stays bounded: 256 MB in 8 downloads")
  func slowClients() throws { try download(32 * Self.mebibyte, clients: 8) }

  private func upload(_ size: Int, clients count: Int, isChunked: Bool = false) throws {
    let mayRead = Locked(false)
    let backend = try Backend { connection, request in
      if request.path == "/held" {
        try eventually("leave to read", within: 120) { mayRead.current || connection.isAbandoned }
        try connection.read(&request, keep: false)
        try connection.respond(to: request, body: Array(String(request.bodyLength).utf8))
      } else {
        try BackendPaths.answer(connection, &request)
      }
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let idle = try warmUp(scene)
    let clients = try (0..<count).map { _ in try scene.client() }
    let block = BackendPaths.pattern(251 * 1024)
    let sent = Locked(0)
    let senders = clients.map { client in
      let socket = client.socket
      return BackgroundWork {
        if isChunked {
          try socket.send(Array("POST /held HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
        } else {
          try socket.send(Array("POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n".utf8))
        }
        var left = size
        while left > 0 {
          let n = min(left, block.count)
          if isChunked { try socket.send(Array("\(String(n, radix: 16))\r\n".utf8), within: 120) }
          try socket.send(n == block.count ? block : Array(block[..<n]), within: 120)
          if isChunked { try socket.send([0x0d, 0x0a], within: 120) }
          left -= n
          sent.withLock { $0 += n }
        }
        if isChunked { try socket.send(Array("0\r\n\r\n".utf8)) }
      }
    }
    let held = try settled("the upload") { sent.current }
    #expect(held < size * count, "the clients should have been held up")
    let grown = scene.weft.process.memory - idle
    #expect(grown < count * Self.connectionLimit + Self.slack, "grew by \(grown) KB with \(count) clients")
    mayRead.withLock { $0 = true }
    var highest = 0
    while !senders.allSatisfy(\.isDone) {
      highest = max(highest, scene.weft.process.memory)
      pause(milliseconds: 20)
    }
    for sender in senders { try sender.value() }
    for client in clients { #expect(try client.response(to: "POST").text == String(size)) }
    #expect(highest - idle < count * Self.connectionLimit + Self.slack, "grew by \(highest - idle) KB while it flowed")
  }

  @Test("a slow backend holds up its clients, and memory stays bounded: 256 MB in 8 uploads", arguments: [false, true])
  func slowBackend(isChunked: Bool) throws {
    try upload(32 * Self.mebibyte, clients: 8, isChunked: isChunked)
  }

  @Test("a client that does not read keeps no tunnel's bytes in memory")
  func tunnel() throws {
    let backend = try Backend { connection, request in
      connection.isFinished = true
      if request.path != "/flood" { return try BackendPaths.answer(connection, &request) }
      try connection.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
      try BackendPaths.sendPattern(64 << 20, on: connection.socket)
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let idle = try warmUp(scene)
    let client = try scene.client()
    try client.send("GET /flood HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    #expect(try client.reader.responseHead(to: "GET").status == 101)
    let peak = try settled("memory") { scene.weft.process.memory }
    #expect(peak - idle < Self.connectionLimit + Self.slack)
    var count = 0
    while case let bytes = try client.reader.some(), !bytes.isEmpty { count += bytes.count }
    #expect(count == 64 << 20)
  }

  /// Select it with WEFT_LARGE_TESTS=1: it takes a minute or so.
  @Test("1 GB either way", .enabled(if: getenv("WEFT_LARGE_TESTS") != nil, "set WEFT_LARGE_TESTS=1"))
  func gigabyte() throws {
    try download(1 << 30, clients: 1)
    try upload(1 << 30, clients: 1)
  }
}
