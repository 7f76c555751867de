import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization
import WeftConfig
import WeftStore

/// Watches: responses that go on for as long as the client listens, a line of JSON for each event.
final class WatchRoute: Sendable {
  /// Watches at one time.
  static let limit = 256
  /// Seconds after which a line says that nothing has happened, so that a client that is gone is noticed.
  static let heartbeat = 15

  private let store: any Store
  private let count = Mutex(0)

  init(_ store: any Store) { self.store = store }

  /// How many there are.
  var active: Int { count.withLock { $0 } }

  /// Counts one watch, which must be given back with `leave()`.
  func enter() throws {
    let isAllowed = count.withLock { count in
      if count >= Self.limit { return false }
      count += 1
      return true
    }
    if !isAllowed {
      throw APIProblem(.tooManyRequests, "\(Self.limit) watches are open already; try again later")
    }
  }

  func leave() { count.withLock { $0 -= 1 } }

  func answer(
    _ request: Request, _ type: ResourceType, version: String, namespace: String?, name: String?
  ) async throws -> Response {
    let query = APIQuery(request)
    let selector = try LabelRequirements(query.text("labelSelector") ?? "")
    let watch = ResourceWatch(
      store, type, namespace: namespace, name: name, selector: selector, version: version)
    let wantsBookmarks = try query.flag("allowWatchBookmarks")
    var revision = try query.revision("resourceVersion") ?? 0
    var initial: [ResourceWatch.Event] = []
    if revision == 0 {
      // From the beginning: first what is there.
      let service = ResourceReader(store)
      (initial, revision) = try await service.present(
        type, namespace: namespace, name: name, selector: selector, version: version)
      if wantsBookmarks { initial.append(.bookmark(revision)) }
    }
    try enter()
    let stream: WatchStream
    do {
      stream = try await watch.begin(after: revision)
    } catch {
      leave()
      throw error
    }
    let seconds = try query.number("timeoutSeconds", in: 1...86_400)
    let (first, place) = (initial, Place(self))
    return Response(
      status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
      body: ResponseBody { writer in
        defer { place.give() }
        for event in first { try await writer.write(Self.line(event.json(type, version: version))) }
        let events = Self.lines(watch, stream, type, version, wantsBookmarks: wantsBookmarks, seconds: seconds)
        for await line in events { try await writer.write(line) }
        try await writer.finish(nil)
      })
  }

  /// The lines of a watch with heartbeats between them; ends with the time given, with the store's stream, or when the
  /// control plane goes away. Bounded: the store's own stream cuts off a reader that is too slow.
  private static func lines(
    _ watch: ResourceWatch, _ stream: WatchStream, _ type: ResourceType, _ version: String, wantsBookmarks: Bool,
    seconds: Int?
  ) -> AsyncStream<ByteBuffer> {
    let (lines, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(10_000))
    let reached = SharedMutex(Revision(0))
    let reader = Task {
      await withGracefulShutdownHandler {
        do {
          for try await batch in stream {
            for event in await watch.events(of: batch) {
              if case .bookmark(let revision) = event {
                reached.value.withLock { $0 = revision }
                continue
              }
              if case .dropped = continuation.yield(line(event.json(type, version: version))) {
                throw StoreError.compacted(oldest: batch.revision)
              }
            }
            reached.value.withLock { $0 = batch.revision }
          }
        } catch {
          if !(error is CancellationError) {
            continuation.yield(line(["type": "ERROR", "object": APIProblem(error).json]))
          }
        }
        continuation.finish()
      } onGracefulShutdown: {
        continuation.finish()
      }
    }
    let beat = Task {
      var told: Revision = 0
      let begin = ContinuousClock.now
      while !Task.isCancelled {
        let step = seconds.map { min(heartbeat, $0) } ?? heartbeat
        do { try await Task.sleep(for: .seconds(step)) } catch { break }
        let revision = reached.value.withLock { $0 }
        if wantsBookmarks, revision > told {
          told = revision
          continuation.yield(line(ResourceWatch.Event.bookmark(revision).json(type, version: version)))
        } else if !wantsBookmarks || revision <= told {
          // White space between values: nothing, for whoever reads JSON.
          continuation.yield(ByteBuffer(string: "\n"))
        }
        if let seconds, begin.duration(to: .now) >= .seconds(seconds) { break }
      }
      continuation.finish()
    }
    continuation.onTermination = { _ in
      reader.cancel()
      beat.cancel()
    }
    return lines
  }

  static func line(_ value: JSONValue) -> ByteBuffer { ByteBuffer(string: value.text + "\n") }

  /// A watch's place among the limited number, given back once, whether or not its response was ever written.
  final class Place: Sendable {
    private let route: WatchRoute
    private let isGiven = Mutex(false)

    init(_ route: WatchRoute) { self.route = route }
    deinit { give() }

    func give() {
      let isFirst = isGiven.withLock { isGiven in
        defer { isGiven = true }
        return !isGiven
      }
      if isFirst { route.leave() }
    }
  }

  /// A mutex that tasks can share.
  private final class SharedMutex<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
  }
}

/// What a watch without a revision begins with.
private struct ResourceReader {
  let store: any Store

  init(_ store: any Store) { self.store = store }

  func present(
    _ type: ResourceType, namespace: String?, name: String?, selector: LabelRequirements, version: String
  ) async throws -> ([ResourceWatch.Event], Revision) {
    let prefix =
      name.map { type.key(namespace: namespace ?? "", name: $0).path }
      ?? ResourceKey.prefix(
        group: type.kind.group, kind: type.kind.kind, namespace: type.isNamespaced ? namespace : nil)
    var events: [ResourceWatch.Event] = []
    var (after, revision): (String?, Revision?) = (nil, nil)
    while true {
      let page = try await store.list(prefix: prefix, after: after, limit: 1_000, at: revision)
      revision = revision ?? page.revision
      for entry in page.entries where name == nil || entry.key == prefix {
        guard let document = ResourceDocument(entry), selector.matches(document.value) else { continue }
        events.append(.added(document.shown(revision: entry.modified, version: version)))
      }
      guard page.hasMore, let last = page.entries.last else { return (events, revision ?? 0) }
      after = last.key
    }
  }
}
