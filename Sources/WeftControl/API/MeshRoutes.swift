import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import WeftConfig
import WeftStore

/// What runs in the mesh.
struct MeshRoutes: Sendable {
  let mesh: any MeshStatus
  let store: any Store
  let resources: ResourceService
  let watches: WatchRoute
  let telemetry: TelemetryAggregator?
  let version: String

  var endpoints: [APIEndpoint] {
    [
      APIEndpoint(.get, "/weft/v1/status", .read, "The control plane and the proxies in numbers", status),
      APIEndpoint(
        .get, "/weft/v1/proxies", .read, "All proxies: version, state, certificate, bundles",
        { _, _ in Response(["proxies": try Self.json(await mesh.proxies())]) }),
      APIEndpoint(
        .get, "/weft/v1/proxies/{kind}/{namespace}/{name}/{instance}", .read, "One proxy",
        { _, context in
          let id = try ["kind", "namespace", "name", "instance"].map(context.parameter).joined(separator: "/")
          guard let proxy = await mesh.proxy(id) else { throw APIProblem(.notFound, "no proxy \(id.prefix(300))") }
          return Response(try Self.json(proxy))
        }),
      APIEndpoint(
        .get, "/weft/v1/rejections", .read, "Which proxies refuse a resource, and why", query: ["type", "name"],
        { request, _ in
          let query = APIQuery(request)
          guard let type = query.text("type"), let name = query.text("name") else {
            throw APIProblem(.badRequest, "say which: ?type=GROUP/VERSION/KIND&name=NAMESPACE/NAME")
          }
          return Response(["rejections": try Self.json(await mesh.rejections(type: type, name: name))])
        }),
      APIEndpoint(
        .get, "/weft/v1/traffic", .read,
        "The last minute of services, of edges between them, of routes and of filters: rate, success, latency",
        { _, _ in
          guard let telemetry else { throw APIProblem(.notFound, "this control plane takes no telemetry") }
          return Response(try Self.json(Traffic(telemetry.snapshot())))
        }),
      APIEndpoint(
        .get, "/weft/v1/events", .read, "What happened in the mesh, oldest first; with watch=1 as it happens",
        query: ["after", "watch", "timeoutSeconds"], events),
    ]
  }

  /// Not inlined, for Swift 6.3's optimiser crashes on its errors within an async function.
  @inline(never)
  private static func json(_ value: some Encodable) throws -> JSONValue {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    return try JSONValue(parsing: Array(encoder.encode(value)), file: "status.json")
  }

  @Sendable private func status(_ request: Request, _ context: APIContext) async throws -> Response {
    let proxies = await mesh.proxies()
    var states: [String: JSONValue] = [:]
    for state in [ProxyStatus.Sync.synced, .syncing, .stale, .disconnected] {
      states[state.rawValue] = .number("\(proxies.count { $0.sync == state })")
    }
    let findings = try await resources.findings()
    return Response([
      "version": .string(version), "revision": .string("\(try await store.revision())"),
      "proxies": .object(states), "rejections": .number("\(proxies.reduce(0) { $0 + $1.rejections.count })"),
      "errors": .number("\(findings.count { $0.isError })"),
      "warnings": .number("\(findings.count { !$0.isError })"),
    ])
  }

  @Sendable private func events(_ request: Request, _ context: APIContext) async throws -> Response {
    let query = APIQuery(request)
    let after = try query.revision("after") ?? 0
    guard try query.flag("watch") else {
      return Response(["events": try Self.json(await mesh.events(after: after))])
    }
    try watches.enter()
    let place = WatchRoute.Place(watches)
    let end = try query.number("timeoutSeconds", in: 1...86_400).map { ContinuousClock.now + .seconds($0) }
    let mesh = mesh
    return Response(
      status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
      body: ResponseBody { writer in
        defer { place.give() }
        for await line in Self.lines(mesh, after: after, until: end) { try await writer.write(line) }
        try await writer.finish(nil)
      })
  }

  /// The lines of a watch of events, with an empty one every 15 seconds without any; ends with the time given, when the
  /// control plane goes away, or when the reader is too slow.
  private static func lines(
    _ mesh: any MeshStatus, after: UInt64, until end: ContinuousClock.Instant?
  ) -> AsyncStream<ByteBuffer> {
    let (lines, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(10_000))
    let reader = Task {
      var last = after
      var silent = 0
      repeat {
        let events = await mesh.events(after: last)
        for event in events {
          guard let line = try? WatchRoute.line(json(event)) else { continue }
          if case .dropped = continuation.yield(line) { return continuation.finish() }
          last = max(last, event.number)
        }
        silent = events.isEmpty ? silent + 1 : 0
        if silent % 30 == 29 { continuation.yield(ByteBuffer(string: "\n")) }
      } while await pause(until: end)
      continuation.finish()
    }
    continuation.onTermination = { _ in reader.cancel() }
    return lines
  }

  /// Waits for half a second.
  /// - Returns: false when `end` has come, or the control plane goes away, which ends the wait at once.
  private static func pause(until end: ContinuousClock.Instant?) async -> Bool {
    do { try await Task.sleepUnlessShutdown(.milliseconds(500)) } catch { return false }
    return end.map { ContinuousClock.now < $0 } ?? true
  }
}
