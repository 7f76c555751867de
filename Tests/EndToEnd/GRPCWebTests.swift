import Testing

/// Clients that speak gRPC-Web, as pages in browsers do, in front of gRPC's own server: the example, with its chain of
/// CORS and grpc-web.
@Suite("gRPC-Web", .endToEnd)
struct GRPCWebTests {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  /// Calls and prints what a page would see; `curl` is the network, for it speaks both versions of HTTP.
  private static let client = #"""
    import base64, json, subprocess, sys
    base, version = sys.argv[1], sys.argv[2]
    flags = ["--http2-prior-knowledge"] if version == "2" else ["--http1.1"]
    def curl(*arguments, data=None):
      result = subprocess.run(["curl", "-sS", "-i", "--max-time", "60", *flags, *arguments], input=data, capture_output=True)
      assert result.returncode == 0, (arguments, result.returncode, result.stderr)
      head, body = result.stdout.split(b"\r\n\r\n", 1)
      lines = head.decode().split("\r\n")
      fields = [line.split(": ", 1) for line in lines[1:]]
      return int(lines[0].split(" ")[1]), {k.lower(): v for k, v in fields}, body
    def message(text): return b"\x0a" + bytes([len(text)]) + text
    def frame(payload): return b"\0" + len(payload).to_bytes(4, "big") + payload
    def frames(body):
      found = []
      while body:
        size = int.from_bytes(body[1:5], "big")
        assert len(body) >= 5 + size, body
        found.append((body[0], body[5:5 + size]))
        body = body[5 + size:]
      return found
    def decode(text):
      # Each piece is padded by itself.
      found, start = b"", 0
      assert len(text) % 4 == 0, text
      return b"".join(base64.b64decode(text[i:i + 4]) for i in range(0, len(text), 4))
    def call(method, name, kind="application/grpc-web+proto", more=[]):
      body = frame(message(name))
      if "text" in kind: body = base64.b64encode(body)
      status, fields, body = curl(
        "-X", "POST", "-H", "content-type: " + kind, "-H", "x-grpc-web: 1", "-H", "origin: https://page.example",
        *more, "--data-binary", "@-", base + method, data=body)
      assert status == 200, (status, fields, body)
      assert fields["content-type"] == kind, fields
      assert fields["access-control-allow-origin"] == "*", fields
      assert "grpc-status" in fields["access-control-expose-headers"], fields
      parts = frames(decode(body) if "text" in kind else body)
      messages = [p[2:].decode() for flag, p in parts if flag == 0]
      trailers = dict(l.split(": ", 1) for flag, p in parts if flag & 0x80 for l in p.decode().split("\r\n") if l)
      trailers = {k: v for k, v in trailers.items() if k.startswith("grpc-")}
      # Where there is no message, the status may stand in the head.
      trailers.update({k: v for k, v in fields.items() if k in ("grpc-status", "grpc-message")})
      if messages: assert [flag for flag, _ in parts][-1] == 0x80, parts
      return messages, trailers
    hello, stream = "/helloworld.Greeter/SayHello", "/helloworld.Greeter/SayHelloStream"
    for kind in ["application/grpc-web+proto", "application/grpc-web", "application/grpc-web-text+proto", "application/grpc-web-text"]:
      answer, trailers = call(hello, b"web", kind)
      assert answer == ["Hello web"] and trailers["grpc-status"] == "0", (kind, answer, trailers)
      answer, trailers = call(stream, b"web", kind)
      assert answer == ["Hello web 0", "Hello web 1", "Hello web 2"] and trailers["grpc-status"] == "0", (kind, answer)
      answer, trailers = call(hello, b"nobody", kind)
      assert answer == [] and trailers["grpc-status"] == "5", (kind, answer, trailers)
      assert trailers["grpc-message"].replace("%20", " ") == "there is nobody", trailers
      # The service knows no such method.
      answer, trailers = call("/helloworld.Greeter/Nothing", b"x", kind)
      assert answer == [] and trailers["grpc-status"] == "12", (kind, answer, trailers)
    # The preflight request of a browser never reaches the service.
    status, fields, _ = curl(
      "-X", "OPTIONS", "-H", "origin: https://page.example", "-H", "access-control-request-method: POST",
      "-H", "access-control-request-headers: content-type,x-grpc-web", base + hello)
    assert status == 204 and fields["access-control-allow-origin"] == "*", (status, fields)
    assert "x-grpc-web" in fields["access-control-allow-headers"].lower(), fields
    # What is not base64 is refused, and as gRPC-Web: the page reads a status.
    status, fields, body = curl(
      "-X", "POST", "-H", "content-type: application/grpc-web-text", "-H", "origin: https://page.example",
      "--data-binary", "@-", base + hello, data=b"!!!!")
    assert status == 200 and fields["grpc-status"] == "13", (status, fields, body)
    assert fields["content-type"] == "application/grpc-web-text", fields
    print("all fine")
    """#

  @Test("Calls of pages: binary and text, streams, trailers, errors, CORS", arguments: ["1.1", "2"])
  func pages(version: String) throws {
    let folder = try TemporaryFolder()
    let (port, backend) = (try ReservedPort(), try ReservedPort())
    try folder.write("server.py", try #require(readFile("\(Self.root)/examples/grpc/server.py")))
    let server = try ChildProcess(
      "/usr/bin/python3", [folder.path("server.py"), String(backend.number)], in: folder, name: "grpc-server")
    defer { server.signal(9) }
    try eventually("the gRPC server") {
      if let end = server.end { throw MissingTool(program: "Debian's python3-grpcio (\(end): \(server.errorOutput))") }
      return server.output.contains("ready")
    }
    let text = try #require(readFile("\(Self.root)/examples/grpc/gateway.yaml"))
    let weft = try WeftProcess([
      "gateway.yaml": text.replacing("port: 8080", with: "port: \(port.number)").replacing(
        "127.0.0.1:50051", with: "127.0.0.1:\(backend.number)")
    ])
    defer { weft.stop() }
    try folder.write("client.py", Self.client)
    let result = try Tool.run(
      "/usr/bin/python3", [folder.path("client.py"), "http://127.0.0.1:\(port.number)", version], within: 180)
    #expect(result.output == "all fine\n", "\(result.output)\(result.errorOutput)")
    // gRPC's own clients pass the same chain untouched.
    let plain = try Tool.run(
      "/usr/bin/python3", ["\(Self.root)/examples/grpc/client.py", "127.0.0.1:\(port.number)"], within: 120)
    #expect(plain.output.hasPrefix("Hello World\n"), "\(plain.errorOutput)")
  }

  @Test("A service that is down is UNAVAILABLE to a page")
  func down() throws {
    let (port, nobody) = (try ReservedPort(), try ReservedPort())
    let text = try #require(readFile("\(Self.root)/examples/grpc/gateway.yaml"))
    let weft = try WeftProcess([
      "gateway.yaml": text.replacing("port: 8080", with: "port: \(port.number)").replacing(
        "127.0.0.1:50051", with: "127.0.0.1:\(nobody.number)")
    ])
    defer { weft.stop() }
    let result = try Tool.run(
      "curl",
      [
        "-si", "-H", "content-type: application/grpc-web+proto", "-H", "origin: https://page.example", "--data", "x",
        "http://127.0.0.1:\(port.number)/helloworld.Greeter/SayHello",
      ])
    #expect(result.output.hasPrefix("HTTP/1.1 200"), "\(result.output)")
    #expect(result.output.contains("grpc-status: 14\r\n"), "\(result.output)")
    #expect(result.output.contains("content-type: application/grpc-web+proto\r\n"), "\(result.output)")
    #expect(result.output.contains("access-control-allow-origin: *\r\n"), "\(result.output)")
  }
}
