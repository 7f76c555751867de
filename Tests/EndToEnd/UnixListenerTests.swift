import Testing

@Suite("Unix listeners", .endToEnd)
struct UnixListenerTests {
  @Test("a Unix socket is listened on by all workers, from the command line", arguments: [1, 3])
  func commandLine(workers: Int) throws {
    let folder = try TemporaryFolder()
    let backend = try Backend()
    defer { backend.stop() }
    let path = folder.path("in.sock")
    let weft = try WeftProcess(
      [:], ["--listen", "unix:\(path)", "--to", "127.0.0.1:\(backend.port)"], workers: workers, folder: folder)
    defer { weft.stop() }
    for _ in 0..<20 {
      let socket = try StreamSocket.connect(.unix(path))
      try socket.send(Array(HTTPText.get("/echo").utf8))
      let response = try MessageReader(socket).response(to: "GET")
      #expect(response.status == 200)
      #expect(response.text.contains("x-forwarded-for: unknown"))
    }
  }

  @Test("a Gateway's Unix socket comes and goes with reloads")
  func reload() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("in.sock")
    func gateway(_ hostname: String) -> String {
      """
      {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: local}, spec: {gatewayClassName: weft, \
      addresses: [{type: weft.dev/UnixSocket, value: \(path)}], \
      listeners: [{name: http, protocol: HTTP, port: 80\(hostname)}]}}
      """
    }
    let route = Resources.route(
      "local", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]", gateway: "local")
    let scene = try Scene(more: [gateway(""), route], workers: 2)
    defer { scene.stop() }
    func answers() -> Bool {
      guard let socket = try? StreamSocket.connect(.unix(path)) else { return false }
      try? socket.send(Array(HTTPText.get("/echo").utf8))
      return (try? MessageReader(socket).response(to: "GET"))?.status == 200
    }
    #expect(answers())
    try scene.weft.reloaded { try scene.weft.folder.write("config/weft.yaml", scene.configuration(more: [route])) }
    try eventually("the socket to be closed") { !answers() }
    try scene.weft.reloaded {
      try scene.weft.folder.write("config/weft.yaml", scene.configuration(more: [gateway(""), route]))
    }
    #expect(answers(), "the file that was left behind is replaced")
  }
}
