import TestCertificates
import Testing

/// A proxy with an HTTPS listener for `a.test` in front of a backend, and an authority that clients believe.
final class TLSScene: Sendable {
  let authority: TestAuthority
  let weft: WeftProcess
  let port: Int
  let backend: Backend
  private let reserved: ReservedPort
  private let resources: @Sendable (String) -> [String]

  /// - Parameters:
  ///   - listener: members of the listener beside name, protocol, port and tls; or whole listeners.
  ///   - options: entries of the listener's TLS options.
  ///   - files: made from the authority, beside the configuration: names and contents.
  init(
    _ authority: TestAuthority? = nil, listeners: ((Int) -> String)? = nil, options: String = "", gateway: String = "",
    proxy: String = "", filters: String = "", more: [String] = [], files: [String: [UInt8]] = [:], workers: Int = 1,
    arguments: [String] = [], service: String = "", endpoint: String? = nil, gatewayAnnotations: String = "{}",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let authority = try authority ?? TestAuthority()
    self.authority = authority
    reserved = try ReservedPort()
    port = reserved.number
    backend = try Backend()
    let folder = try TemporaryFolder()
    let server = try authority.issue("a.test", names: ["DNS:a.test", "URI:spiffe://mesh/edge"])
    for (name, content) in files { try folder.write("config/" + name, String(decoding: content, as: UTF8.self)) }
    try folder.write("config/server.crt", String(decoding: server.certificate, as: UTF8.self))
    try folder.write("config/server.key", String(decoding: server.key, as: UTF8.self))
    let standard =
      "{name: https, protocol: HTTPS, port: \(port), tls: {options: {weft.dev/certificate-file: server.crt, "
      + "weft.dev/key-file: server.key\(options.isEmpty ? "" : ", " + options)}}}"
    let all = listeners?(port) ?? standard
    let gateway = gateway.isEmpty ? "" : ", " + gateway
    let (serviceText, endpointText) = (service, endpoint ?? "\(backend.endpoint)")
    resources = { filters in
      [
        Resources.proxy(proxy),
        """
        {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gateway, annotations: \(gatewayAnnotations)}, \
        spec: {gatewayClassName: weft, addresses: [{value: 127.0.0.1}], listeners: [\(all)]\(gateway)}}
        """,
        Resources.service("backend", endpoints: ["\"\(endpointText)\""], serviceText),
        Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]\(filters)}]"),
      ] + more
    }
    let text = resources(filters.isEmpty ? "" : ", filters: [\(filters)]").joined(separator: "\n---\n") + "\n"
    weft = try WeftProcess(
      ["weft.yaml": text], arguments, workers: workers, folder: folder, sourceLocation: sourceLocation)
  }

  func path(_ name: String) -> String { weft.folder.path("config/" + name) }

  /// What curl says of a URL at a host of the listener.
  func curl(_ path: String, host: String = "a.test", _ arguments: String...) throws -> ToolResult {
    try Tool.run(
      "curl",
      ["-sS", "--max-time", "30", "--cacert", authority.certificatePath, "--resolve", "\(host):\(port):127.0.0.1"]
        + arguments + ["https://\(host):\(port)\(path)"])
  }

  /// What `openssl s_client` prints of a handshake.
  func handshake(_ arguments: String...) throws -> ToolResult {
    try Tool.run(
      "openssl",
      ["s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", authority.certificatePath, "-verify_return_error"]
        + arguments)
  }

  /// Runs a Python script with the port and the authority's certificate as its first arguments.
  func python(_ script: String, _ arguments: String..., within seconds: Double = 60) throws -> ToolResult {
    try weft.folder.write("client.py", script)
    return try Tool.run(
      "/usr/bin/python3",
      [weft.folder.path("client.py"), String(port), authority.certificatePath] + arguments, within: seconds)
  }

  func stop(sourceLocation: SourceLocation = #_sourceLocation) {
    weft.stop(sourceLocation: sourceLocation)
    if !backend.violations.isEmpty { Issue.record("\(backend.violations)", sourceLocation: sourceLocation) }
    backend.stop()
  }

  /// The head of the request as the backend got it, from what its `/echo` says.
  static func fields(_ echo: String) -> [String] {
    echo.split(whereSeparator: \.isNewline).map(String.init)
  }
}
