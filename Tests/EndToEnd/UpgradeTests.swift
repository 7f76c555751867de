import Testing

@Suite("Upgraded connections", .endToEnd)
struct UpgradeTests {
  private static let request =
    "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\nX-Mine: 1\r\n\r\n"

  /// Switches, and reads the backend's greeting.
  private func upgraded(_ scene: Scene) throws -> RawClient {
    let client = try scene.client()
    try client.send(Self.request)
    let response = try client.reader.responseHead(to: "GET")
    #expect(response.status == 101)
    #expect(response["upgrade"] == "echo")
    #expect(response["connection"]?.lowercased() == "upgrade")
    #expect(try client.reader.bytes(6) == Array("hello\n".utf8))
    return client
  }

  @Test("carry bytes both ways, of any value and number")
  func bytes() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try upgraded(scene)
    for size in [1, 100, 100_000, 3_000_000] {
      let sending = BackgroundWork { [socket = client.socket] in try socket.send(BackendPaths.pattern(size)) }
      #expect(try client.reader.bytes(size) == BackendPaths.pattern(size))
      try sending.value()
    }
    client.socket.shutdownWrite()
    #expect(try client.ends())
    let line = try scene.accessLog(1)[0]
    #expect(line.status == 101)
    #expect(line["bytes_received"].int == 3_100_101)
  }

  @Test("bytes sent right behind the request are not lost")
  func eager() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(Self.request + "eager bytes")
    #expect(try client.reader.responseHead(to: "GET").status == 101)
    #expect(try client.reader.bytes(17) == Array("hello\neager bytes".utf8))
  }

  @Test("each direction ends on its own")
  func halfClose() throws {
    let backend = try Backend { connection, request in
      connection.isFinished = true
      try connection.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
      var all: [UInt8] = []
      while case let bytes = try connection.reader.some(), !bytes.isEmpty { all += bytes }
      // Answers only once it has seen the end.
      try connection.socket.send(all)
      connection.socket.shutdownWrite()
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(Self.request)
    #expect(try client.reader.responseHead(to: "GET").status == 101)
    try client.send("question")
    client.socket.shutdownWrite()
    #expect(try String(decoding: client.untilEnd(), as: UTF8.self) == "question")
  }

  @Test("a client that breaks off takes the backend's connection with it")
  func clientResets() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try upgraded(scene)
    client.socket.reset()
    try eventually("the end at the backend") { !scene.backend.connections[0].isOpen }
    try eventually("an empty proxy") { try scene.weft.metric("weft_downstream_connections_active") == 0 }
    #expect(try scene.weft.metric("weft_upstream_connections_active") == 0)
  }

  @Test("a backend that declines answers as to any request, and the connection goes on")
  func declined() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    let response = try client.response()
    #expect(response.status == 200)
    #expect(response.text.lowercased().contains("upgrade: echo\r\n"))
    #expect(try client.get("/echo").status == 200)
  }

  @Test("Upgrade without Connection: upgrade is for this hop alone, and dropped")
  func withoutConnection() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.get("/echo", "upgrade: echo")
    #expect(response.status == 200)
    #expect(scene.backend.requests[0]["upgrade"] == nil)
  }

  @Test("h2c is not passed on: nobody would look at what it carries")
  func h2c() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.get("/echo", "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AA")
    #expect(response.status == 200)
    #expect(scene.backend.requests[0]["upgrade"] == nil)
    #expect(scene.backend.requests[0]["connection"] == nil)
    #expect(scene.backend.requests[0]["http2-settings"] == nil)
  }

  @Test("101 that nobody asked for is a mistake of the backend")
  func unasked() throws {
    let backend = try Backend { connection, _ in
      try connection.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    #expect(try scene.get("/").status == 502)
  }

  @Test("WebSocket works end to end with a client and a server that others wrote")
  func webSocket() throws {
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    try folder.write("server.py", Self.server)
    try folder.write("client.py", Self.client)
    let server = try ChildProcess(
      "/usr/bin/python3", [folder.path("server.py"), String(port.number)], in: folder, name: "server")
    try eventually("the WebSocket server") {
      if let end = server.end {
        throw MissingTool(program: "Debian's python3-websockets (\(end): \(server.errorOutput))")
      }
      return server.output.contains("ready")
    }
    let scene = try Scene(more: [
      Resources.service("websocket", [.port(port.number)]),
      Resources.route(
        "websocket",
        "rules: [{matches: [{path: {type: PathPrefix, value: /ws}}], backendRefs: [\(Resources.backendRef("websocket"))]}]"
      ),
    ])
    defer { scene.stop() }
    let result = try Tool.run(
      "/usr/bin/python3", [folder.path("client.py"), "ws://127.0.0.1:\(scene.port)/ws"], within: 120)
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
    #expect(result.output.contains("all fine"))
    server.signal(9)
  }

  private static let server = """
    import asyncio, sys
    from websockets import serve

    async def echo(socket, path=None):
      async for message in socket:
        await socket.send(message)

    async def main():
      async with serve(echo, "127.0.0.1", int(sys.argv[1]), max_size=None, reuse_port=True):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()

    asyncio.run(main())
    """

  private static let client = """
    import asyncio, os, sys
    from websockets import connect

    async def talk(number):
      async with connect(sys.argv[1], max_size=None) as socket:
        for size in [0, 1, 125, 126, 65535, 65536, 1000000]:
          data = os.urandom(size)
          await socket.send(data)
          assert await socket.recv() == data, size
        await socket.send("text \\u00e4")
        assert await socket.recv() == "text \\u00e4"
        await (await socket.ping())
      assert socket.close_code == 1000, socket.close_code

    async def main():
      await asyncio.gather(*(talk(i) for i in range(5)))
      print("all fine")

    asyncio.run(main())
    """
}
