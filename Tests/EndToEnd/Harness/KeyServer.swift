import TestCertificates

/// A server of key sets in Python, over TLS when it has a certificate. What it answers lies in files, read at each
/// request, so that a test changes it at any moment.
final class KeyServer {
  let folder: TemporaryFolder
  let port: Int
  private let reserved: ReservedPort
  private let process: ChildProcess
  private let scheme: String

  private static let script = """
    import http.server, json, ssl, sys, time
    port, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            name = self.path.strip("/") or "keys"
            try: answer = json.load(open(name + ".json"))
            except FileNotFoundError: answer = {"status": 404, "body": "", "fields": {}}
            body = answer["body"].encode()
            self.send_response(answer["status"])
            for field, value in answer["fields"].items(): self.send_header(field, value)
            if answer.get("chunked"):
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for i in range(0, len(body), 100):
                    piece = body[i:i + 100]
                    self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
                self.wfile.write(b"0\\r\\n\\r\\n")
                return
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *a):
            open("requests", "a").write(self.path + " " + self.headers["host"] + "\\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    open("ready", "w").write("yes")
    server.serve_forever()
    """

  init(_ certificate: TestAuthority.Issued? = nil) throws {
    folder = try TemporaryFolder()
    reserved = try ReservedPort()
    port = reserved.number
    scheme = certificate == nil ? "http" : "https"
    try folder.write("server.py", Self.script)
    let folder = folder
    process = try ChildProcess(
      "sh",
      [
        "-c", "cd \(folder.path) && exec /usr/bin/python3 server.py \"$@\"", "sh", String(port),
        certificate?.certificatePath ?? "", certificate?.keyPath ?? "",
      ], in: folder, name: "server")
    let process = process
    try eventually("the key server to listen") {
      if let end = process.end { throw MalformedMessage("the key server ended, \(end): \(process.errorOutput)") }
      return readFile(folder.path("ready")) != nil
    }
  }

  deinit { process.signal(9) }

  func uri(_ name: String = "keys", host: String = "localhost") -> String { "\(scheme)://\(host):\(port)/\(name)" }

  /// What there is at `/NAME` from now on.
  func serve(
    _ name: String = "keys", status: Int = 200, _ body: String = "", fields: String = "{}", isChunked: Bool = false
  ) throws {
    let text = body.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    try folder.write(
      "\(name).new", "{\"status\": \(status), \"body\": \"\(text)\", \"fields\": \(fields), \"chunked\": \(isChunked)}")
    _ = try Tool.run("mv", [folder.path("\(name).new"), folder.path("\(name).json")])
  }

  /// Requests so far.
  var requests: [String] { (readFile(folder.path("requests")) ?? "").split(separator: "\n").map(String.init) }
}
