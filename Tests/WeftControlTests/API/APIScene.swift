import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import WeftConfig
import WeftIdentity
import WeftStore

@testable import WeftControl

/// An API on a free port over a store of its own.
struct APIScene: Sendable {
  struct Answer: Sendable {
    let status: Int
    let type: String
    let text: String
    let warnings: [String]

    var json: JSONValue { (try? JSONValue(parsing: Array(text.utf8))) ?? .null }
  }

  let server: APIServer
  let resources: ResourceService
  let registry: BundleRegistry
  let port: Int

  /// Serves while `body` runs.
  /// - Parameter plane: a control plane to which it belongs.
  static func with(
    mesh: any MeshStatus = NoProxies(), joining: (any JoinTokenIssuer)? = nil, of plane: ControlPlane? = nil,
    metrics: [any MetricsSource] = [], _ body: (APIScene) async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder()
    let store: any Store
    if let plane { store = plane.store } else { store = try await SQLiteStore(folder: folder.path) }
    let resources = ResourceService(store)
    let authority: Authority
    if let plane {
      authority = plane.authority
    } else {
      authority = try await Authority(
        store, sealing: SealingKey(), options: Authority.Options(),
        log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
    let registry = BundleRegistry(resources.store, blobs: BlobStore(folder: folder.path + "/blobs"))
    var options = APIOptions()
    options.port = 0
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = APIServer(
      options, resources: resources, mesh: plane?.status ?? mesh,
      joining: plane.map { JoinTokens($0.authority, $0.store) } ?? joining, authority: authority,
      registry: registry, telemetry: TelemetryAggregator(), metrics: metrics,
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onReady: { continuation.yield($0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do { try await server.run() } catch is CancellationError {}
        continuation.finish()
      }
      var port: Int?
      for await first in ports {
        port = first
        break
      }
      guard let port else { return try await group.waitForAll() }
      try await body(APIScene(server: server, resources: resources, registry: registry, port: port))
      group.cancelAll()
    }
    if plane == nil { await store.close() }
    withExtendedLifetime(folder) {}
  }

  func request(_ method: HTTPMethod, _ path: String, headers: [(String, String)] = [], token: String? = nil)
    -> HTTPClientRequest
  {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
    request.method = method
    for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
    if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
    return request
  }

  func call(
    _ method: HTTPMethod, _ path: String, _ body: String? = nil, type: String? = "application/json",
    headers: [(String, String)] = [], token: String? = nil
  ) async throws -> Answer {
    var request = request(method, path, headers: headers, token: token)
    if let body {
      if let type { request.headers.add(name: "content-type", value: type) }
      request.body = .bytes(ByteBuffer(string: body))
    }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
    let bytes = try await response.body.collect(upTo: 64 << 20)
    return Answer(
      status: Int(response.status.code), type: response.headers.first(name: "content-type") ?? "",
      text: String(buffer: bytes), warnings: response.headers["warning"])
  }

  func yaml(_ method: HTTPMethod, _ path: String, _ body: String, token: String? = nil) async throws -> Answer {
    try await call(method, path, body, type: "application/yaml", token: token)
  }

  /// Reads lines of a watch until there are so many that are not empty.
  func lines(_ path: String, count: Int, whileReading: @Sendable @escaping () async throws -> Void = {}) async throws
    -> [JSONValue]
  {
    let response = try await HTTPClient.shared.execute(request(.GET, path), timeout: .seconds(120))
    var lines: [JSONValue] = []
    var rest = ""
    let work = Task { try await whileReading() }
    for try await buffer in response.body {
      rest += String(buffer: buffer)
      while let end = rest.firstIndex(of: "\n") {
        let line = rest[..<end]
        rest = String(rest[rest.index(after: end)...])
        if !line.isEmpty { lines.append(try JSONValue(parsing: Array(line.utf8))) }
      }
      if lines.count >= count { break }
    }
    try await work.value
    return lines
  }
}

/// A mesh in which nothing runs.
struct NoProxies: MeshStatus {
  func proxies() async -> [ProxyStatus] { [] }
  func proxy(_ id: String) async -> ProxyStatus? { nil }
  func rejections(type: String, name: String) async -> [ResourceRejection] { [] }
  func events(after number: UInt64) async -> [MeshEvent] { [] }
}
