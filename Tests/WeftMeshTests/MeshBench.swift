import Foundation
import Logging
import Synchronization
import Testing
import WeftConfig
import WeftControl
import WeftIO
import WeftProxy
import WeftStore
import WeftTelemetry

@testable import WeftMesh

/// A control plane of a test's own, in this process.
final class MeshBench: @unchecked Sendable {
  let folder: String
  private(set) var plane: ControlPlane
  private var running: Task<Void, any Error>
  private let lifetime: Double
  private var agents: [TestAgent] = []
  static let log = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

  var port: Int { plane.discovery.port }

  private init(lifetime: Double) async throws {
    folder = NSTemporaryDirectory() + "weft-bench-\(UUID().uuidString)"
    self.lifetime = lifetime
    plane = try await Self.open("\(folder)/control", port: 0, lifetime)
    let plane = plane
    running = Task { try await plane.run() }
  }

  private static func open(_ folder: String, port: Int, _ lifetime: Double) async throws -> ControlPlane {
    var options = ControlPlane.Options(
      dataFolder: folder, discovery: try #require(ListenAddress("127.0.0.1:\(port)")))
    options.authority = Authority.Options(certificateLifetime: lifetime)
    return try await ControlPlane.open(options, log: log)
  }

  static func with(lifetime: Double = 3_600, _ body: (MeshBench) async throws -> Void) async throws {
    let bench = try await MeshBench(lifetime: lifetime)
    do { try await body(bench) } catch {
      await bench.end()
      throw error
    }
    await bench.end()
  }

  private func end() async {
    for agent in agents { agent.stop() }
    try? await stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  func stop() async throws {
    plane.stop()
    _ = try? await running.value
  }

  func start(port: Int) async throws {
    plane = try await Self.open("\(folder)/control", port: port, lifetime)
    let plane = plane
    running = Task { try await plane.run() }
  }

  // MARK: Resources

  private func key(_ group: String, _ kind: String, _ name: String) -> String {
    WeftStore.ResourceKey(group: group, kind: kind, namespace: "default", name: name).path
  }

  func put(_ group: String, _ kind: String, _ name: String, _ spec: String) async throws {
    let version = group.isEmpty ? "v1" : "\(group)/v1"
    let body =
      #"{"apiVersion":"\#(version)","kind":"\#(kind)","metadata":{"name":"\#(name)","namespace":"default"},"spec":\#(spec)}"#
    _ = try await plane.store.commit(Transaction([.put(key(group, kind, name), Array(body.utf8), lease: nil)]))
  }

  func delete(_ group: String, _ kind: String, _ name: String) async throws {
    _ = try await plane.store.commit(Transaction([.delete(key(group, kind, name))]))
  }

  func until(_ what: String, within seconds: Double = 60, _ condition: () async throws -> Bool) async throws {
    let end = Date(timeIntervalSinceNow: seconds)
    while try await !condition() {
      if Date() > end { throw MeshError("waited \(seconds) s in vain: \(what)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  // MARK: Agents

  /// The options with a join token and a state folder.
  func joining(_ options: MeshOptions) async throws -> MeshOptions {
    var options = options
    options.control = ["127.0.0.1:\(port)"]
    options.stateFolder = "\(folder)/state-\(UUID().uuidString)"
    options.joinToken = try await plane.authority.issueToken(
      namespace: options.namespace, name: options.name, kind: options.kind == .gateway ? .gateway : .sidecar,
      use: .once, lifetime: 600
    ).text
    return options
  }

  func agent(_ options: MeshOptions) async throws -> TestAgent {
    let agent = try TestAgent(try await joining(options))
    agents.append(agent)
    return agent
  }

  func sidecar(_ name: String) throws -> MeshOptions {
    var options = sidecarOptions(name)
    let address = try #require(SocketAddress("127.0.0.1:\(name == "reviews" ? 1111 : 2222)"))
    options.workload = WorkloadOptions(app: address, inbound: address, advertised: address, outbound: [address])
    options.workload?.check = .off
    return options
  }
}

/// An agent, with the test in the place of the proxy.
final class TestAgent: Sendable {
  struct Seen: Sendable {
    let resources: ResourceSet
    let absentHosts: Set<String>
  }

  private struct State {
    var sets: [Seen] = []
    var taken = 0
    var isServing = false
    var refusal: (message: String, isMeant: @Sendable (Seen) -> Bool)?
  }

  let agent: MeshAgent
  var feed: any ConfigurationFeed { agent.feed }
  private let state = Mutex(State())

  init(_ options: MeshOptions) throws {
    agent = try MeshAgent(options, log: MeshBench.log)
    agent.feed.start { [weak self] in self?.take() }
    agent.start()
  }

  func stop() { agent.stop() }

  /// Sets that were applied so far.
  var count: Int { state.withLock { $0.sets.count } }

  private func take() {
    guard let set = feed.take() else { return }
    let loaded = ConfigLoader.load(documents: set.documents, sources: set.sources)
    let seen = Seen(resources: loaded.resources, absentHosts: set.absentHosts)
    var errors = loaded.diagnostics.filter { $0.severity == .error }
    if let refusal = state.withLock({ $0.refusal }), refusal.isMeant(seen) {
      let source = set.sources.first { $0.hasPrefix("control:Service.weft.dev") } ?? ""
      errors.append(Diagnostic(at: SourceLocation(file: source, line: 1), refusal.message))
    }
    if !errors.isEmpty { return feed.finished(set, .refused(errors)) }
    let isFirst = state.withLock { state in
      state.sets.append(seen)
      defer { state.isServing = true }
      return !state.isServing
    }
    feed.finished(set, .applied([]))
    if isFirst { feed.serving(RunningProxy(metrics: { MetricsRegistry().snapshot() })) }
  }

  /// Waits for a set, among those since the last one that was waited for.
  func set(within seconds: Double = 60, _ condition: (Seen) -> Bool) async throws -> Seen {
    let end = Date(timeIntervalSinceNow: seconds)
    while true {
      let new = state.withLock { Array($0.sets[min($0.taken, $0.sets.count)...]) }
      if let index = new.firstIndex(where: condition) {
        state.withLock { $0.taken += index + 1 }
        return new[index]
      }
      if Date() > end {
        throw MeshError(
          "waited \(seconds) s in vain for a set; there came \(new.count), the last: \(new.last.map { "\($0.resources)" } ?? "-")"
        )
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Refuses sets from here on, as if something were wrong with a weft.dev Service.
  func refuse(_ message: String, _ isMeant: @escaping @Sendable (Seen) -> Bool) {
    state.withLock { $0.refusal = (message, isMeant) }
  }

  func accept() { state.withLock { $0.refusal = nil } }
}

final class LockedFlag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}
