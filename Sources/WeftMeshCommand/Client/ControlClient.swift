import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import WeftCommand
import WeftConfig
import WeftControl

/// Talks to the API of a control plane.
struct ControlClient: Sendable {
  /// Bytes of an answer at most.
  private static let answerLimit = 256 << 20
  /// Bytes of a line of a watch at most.
  private static let lineLimit = 4 << 20

  let base: String
  private let token: String?
  private let http: HTTPClient

  init(_ options: ClientOptions.Resolved) throws {
    guard let url = URL(string: options.control), let host = url.host(percentEncoded: false), !host.isEmpty,
      url.scheme == "http" || url.scheme == "https"
    else { throw ClientError("\"\(options.control)\" is no URL of a control plane, such as \(ClientOptions.fallback)") }
    let isLoopback = host == "localhost" || host == "::1" || host.hasPrefix("127.")
    if url.scheme == "http", options.token != nil, !isLoopback {
      throw ClientError("a token is not sent to \(host) in the clear; use https")
    }
    var text = options.control
    while text.hasSuffix("/") { text.removeLast() }
    base = text
    token = options.token
    var configuration = HTTPClient.Configuration()
    configuration.timeout.connect = .seconds(10)
    configuration.redirectConfiguration = .disallow
    // A control plane that is not there is said at once; watches try again by themselves.
    configuration.connectionPool.retryConnectionEstablishment = false
    if url.scheme == "https" {
      var tls = TLSConfiguration.makeClientConfiguration()
      if let ca = options.ca { tls.trustRoots = .file(ca) }
      if let certificate = options.certificate, let key = options.key {
        tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
        tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
      }
      configuration.tlsConfiguration = tls
    }
    http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  func close() async { try? await http.shutdown() }

  // MARK: Requests

  /// - Returns: the answer's body, or null when it has none.
  /// - Throws: `ProblemAnswer` for a refusal, `ClientError` when there is no answer.
  func call(
    _ method: HTTPMethod, _ path: String, _ query: [(String, String)] = [], body: JSONValue? = nil,
    type: String = "application/json"
  ) async throws -> JSONValue {
    let response = try await send(method, path, query, body: body, type: type, seconds: 120)
    let bytes = try await Array(response.body.collect(upTo: Self.answerLimit).readableBytesView)
    guard response.status.code < 300 else { throw ProblemAnswer(status: Int(response.status.code), bytes) }
    return bytes.isEmpty ? .null : try JSONValue(parsing: bytes, file: base + path)
  }

  func get(_ path: String, _ query: [(String, String)] = []) async throws -> JSONValue {
    try await call(.GET, path, query)
  }

  /// All items of a listing, however many parts it has, and the revision at which it was read.
  func list(_ path: String, _ query: [(String, String)] = []) async throws -> (items: [JSONValue], revision: String) {
    var items: [JSONValue] = []
    var next: String?
    repeat {
      let part = try await get(path, query + (next.map { [("continue", $0)] } ?? []))
      items += part["items"]?.array ?? []
      next = part["metadata"]?["continue"]?.string
      if next == nil { return (items, part["metadata"]?["resourceVersion"]?.string ?? "") }
    } while true
  }

  /// Lines of an answer that goes on, until it ends or `body` says false.
  func lines(
    _ path: String, _ query: [(String, String)], _ body: (JSONValue) async throws -> Bool
  ) async throws {
    let response = try await send(.GET, path, query, body: nil, type: "", seconds: 365 * 86_400)
    guard response.status.code < 300 else {
      let bytes = try await Array(response.body.collect(upTo: 1 << 20).readableBytesView)
      throw ProblemAnswer(status: Int(response.status.code), bytes)
    }
    var rest: [UInt8] = []
    for try await buffer in response.body {
      for byte in buffer.readableBytesView {
        if byte != UInt8(ascii: "\n") {
          rest.append(byte)
          if rest.count > Self.lineLimit { throw ClientError("a line of more than \(Self.lineLimit) bytes came") }
          continue
        }
        defer { rest.removeAll(keepingCapacity: true) }
        if !rest.isEmpty, try await !body(JSONValue(parsing: rest, file: base + path)) { return }
      }
    }
  }

  /// Sends bytes as they are.
  func upload(
    _ method: HTTPMethod, _ path: String, _ query: [(String, String)], _ bytes: [UInt8], type: String
  ) async throws -> JSONValue {
    let response = try await send(method, path, query, bytes: bytes, type: type, seconds: 600)
    let answer = try await Array(response.body.collect(upTo: 1 << 20).readableBytesView)
    guard response.status.code < 300 else { throw ProblemAnswer(status: Int(response.status.code), answer) }
    return answer.isEmpty ? .null : try JSONValue(parsing: answer, file: base + path)
  }

  /// Fetches bytes as they are.
  func download(_ path: String) async throws -> [UInt8] {
    let response = try await send(.GET, path, [], bytes: nil, type: "", seconds: 600)
    let answer = try await Array(response.body.collect(upTo: Self.answerLimit).readableBytesView)
    guard response.status.code < 300 else { throw ProblemAnswer(status: Int(response.status.code), answer) }
    return answer
  }

  private func send(
    _ method: HTTPMethod, _ path: String, _ query: [(String, String)], body: JSONValue?, type: String, seconds: Int64
  ) async throws -> HTTPClientResponse {
    try await send(method, path, query, bytes: body.map { Array($0.text.utf8) }, type: type, seconds: seconds)
  }

  private func send(
    _ method: HTTPMethod, _ path: String, _ query: [(String, String)], bytes: [UInt8]?, type: String, seconds: Int64
  ) async throws -> HTTPClientResponse {
    var url = base + path
    if !query.isEmpty {
      url += "?" + query.map { "\($0.0)=\(Self.escape($0.1))" }.joined(separator: "&")
    }
    var request = HTTPClientRequest(url: url)
    request.method = method
    request.headers.add(name: "user-agent", value: "weft/\(WeftCommandLine.version)")
    if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
    if let bytes {
      request.headers.add(name: "content-type", value: type)
      request.body = .bytes(ByteBuffer(bytes: bytes))
    }
    do {
      return try await http.execute(request, timeout: .seconds(seconds))
    } catch {
      throw ClientError("no answer from the control plane at \(base): \(Self.reason(error))")
    }
  }

  /// What is wrong and what to do; the libraries' own words are for programmers.
  private static func reason(_ error: any Error) -> String {
    let text = "\(error)"
    for (sign, reason) in [
      (
        "remoteConnectionClosed",
        "it closed the connection; where the API has a certificate, write https://, and name its port (15080), not that of proxies (15081)"
      ),
      ("WRONG_VERSION_NUMBER", "it does not speak TLS; write http://"),
      (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is of nobody who is trusted here, or for another name; name its authority with --ca FILE"
      ), ("handshakeFailed", "TLS failed: \(text.prefix(200))"),
      ("connectTimeout", "no connection within 10 s; another address is named with --control URL"),
      ("deadlineExceeded", "no answer in time"),
    ] where text.contains(sign) {
      return reason
    }
    if text.contains("dnsAError") || text.contains("UnknownHost") {
      return "its name cannot be resolved; another one is named with --control URL"
    }
    if text.contains("ECONNREFUSED") || text.contains("Connection refused") || text.contains("errno: 111") {
      return "connection refused; is \"weft control\" running there? Another one is named with --control URL"
    }
    return text
  }

  /// For the value of a parameter.
  static func escape(_ text: String) -> String {
    text.utf8.reduce(into: "") { text, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        text.unicodeScalars.append(Unicode.Scalar(byte))
      default: text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
  }
}

/// A refusal of the API.
struct ProblemAnswer: Error, CustomStringConvertible {
  let status: Int
  let detail: String
  let findings: [ResourceFinding]

  init(status: Int, _ body: [UInt8]) {
    self.status = status
    let value = try? JSONValue(parsing: body)
    let said = value?["detail"]?.string ?? "the control plane answered with \(status)"
    // How a header is written is for other programs to know.
    detail =
      status == 401
      ? "\(said.components(separatedBy: ": send").first ?? said); give a token with --token-file, WEFT_TOKEN or weft context add, as an administrator makes it: weft token create NAME --role ROLE"
      : said
    findings = value?["errors"]?.array?.compactMap { ResourceFinding($0) } ?? []
  }

  var description: String { ([detail] + findings.map(\.description)).joined(separator: "\n") }
}
