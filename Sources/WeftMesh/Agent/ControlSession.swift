import Foundation
import GRPCCore
import Logging
import NIOPosix
import Synchronization
import WeftProtocol

/// The way to the control plane: an identity first, then one stream after the other, to any of its replicas.
final class ControlSession: Sendable {
  private struct State {
    var identity: MeshIdentity?
    /// The control plane does not take it.
    var isRefused = false
    /// Index of the replica that is tried next.
    var replica = 0
    var streams = 0
    /// The connection of the present stream.
    var client: ControlConnection.Client?
  }

  private let options: MeshOptions
  private let group: MultiThreadedEventLoopGroup
  private let log: Logger
  private let tell: @Sendable (AgentEvent) -> Void
  private let client: IdentityClient
  private let state: Mutex<State>

  init(
    _ options: MeshOptions, folder: StateFolder, identity: MeshIdentity?, group: MultiThreadedEventLoopGroup,
    log: Logger, tell: @escaping @Sendable (AgentEvent) -> Void
  ) {
    self.options = options
    self.group = group
    self.log = log
    self.tell = tell
    client = IdentityClient(options: options, folder: folder, log: log)
    state = Mutex(State(identity: identity))
  }

  var identity: MeshIdentity? { state.withLock { $0.identity } }

  private var connection: ControlConnection {
    let index = state.withLock { $0.replica } % max(options.control.count, 1)
    return ControlConnection(address: options.control.isEmpty ? "" : options.control[index], group: group)
  }

  /// The next try goes to another replica, if there is one.
  private func leaveReplica() { state.withLock { $0.replica &+= 1 } }

  // MARK: Streams

  /// Keeps a stream until the task is cancelled.
  func run() async {
    var backoff = Backoff()
    var generator = SystemRandomNumberGenerator()
    var lastProblem = ""
    while !Task.isCancelled {
      let connection = connection
      let began = Date()
      do {
        let identity = try await validIdentity(connection)
        try await stream(connection, identity)
        log.info("the stream to the control plane at \(connection.address) has ended")
        lastProblem = ""
      } catch {
        state.withLock { $0.isRefused = Self.isRefusal(error) }
        let what = Self.isRefusal(error) ? "refuses this proxy" : "cannot be reached"
        let problem = "the control plane at \(connection.address) \(what): \(Self.reason(error))"
        // Once, and not with every try; nor when the proxy ends.
        if problem != lastProblem && !Task.isCancelled { log.warning("\(problem); trying again") }
        lastProblem = problem
      }
      leaveReplica()
      // A stream that lasted was a success, whatever ended it.
      if Date().timeIntervalSince(began) > 30 { backoff.reset() }
      try? await Task.sleep(for: .milliseconds(Int(backoff.next(using: &generator))))
    }
  }

  private func validIdentity(_ connection: ControlConnection) async throws -> MeshIdentity {
    guard let identity, identity.notAfter > Date() else { return try await renewed(connection) }
    // Whoever was revoked comes back with a token that was made later.
    guard state.withLock({ $0.isRefused }), options.joinToken != nil else { return identity }
    return try await renewed(connection, joins: true)
  }

  private func renewed(_ connection: ControlConnection, joins: Bool = false) async throws -> MeshIdentity {
    let made = try await client.renew(identity, at: connection, joins: joins)
    state.withLock { state in
      state.identity = made
      state.isRefused = false
    }
    log.notice("identity \(made.id), good until \(made.notAfter.formatted(.iso8601))")
    tell(.identity(made))
    return made
  }

  private func stream(_ connection: ControlConnection, _ identity: MeshIdentity) async throws {
    let number = state.withLock { state in
      state.streams += 1
      return state.streams
    }
    let tell = tell
    let (messages, continuation) = AsyncStream<Weft_Discovery_V1_ProxyMessage>.makeStream()
    let outgoing = OutgoingMessages(continuation)
    defer {
      continuation.finish()
      tell(.disconnected(number))
    }
    try await connection.with(.roots(identity.roots), identity: identity) { [self] client in
      state.withLock { $0.client = client }
      defer { state.withLock { $0.client = nil } }
      tell(.connected(number, outgoing))
      var call = CallOptions.defaults
      call.maxResponseMessageBytes = ControlConnection.messageLimit
      call.maxRequestMessageBytes = ControlConnection.messageLimit
      try await Weft_Discovery_V1_Discovery.Client(wrapping: client).connect(options: call) { writer in
        for await message in messages { try await writer.write(message) }
      } onResponse: { response in
        for try await message in response.messages { tell(.received(number, message)) }
        continuation.finish()
      }
    }
  }

  /// It has answered, and says no.
  private static func isRefusal(_ error: any Error) -> Bool {
    guard let code = (error as? RPCError)?.code else { return false }
    return [.permissionDenied, .unauthenticated, .invalidArgument, .failedPrecondition].contains(code)
  }

  private static func reason(_ error: any Error) -> String {
    guard let error = error as? RPCError else { return "\(error)" }
    let text = error.cause.map { "\(error.message) (\($0))" } ?? error.message
    if text.contains("WRONG_VERSION_NUMBER") {
      return "it does not speak TLS; name the port of discovery (15081), and not the API's (15080)"
    }
    // What the transport says of itself is no news to anybody.
    return text.replacing("Channel is in a transient failure state and 'wait for ready' isn't enabled. ", with: "")
  }

  // MARK: Identity

  /// Renews the identity at two thirds of its life, as long as the task is not cancelled.
  func renewIdentity() async {
    var lastProblem = ""
    while !Task.isCancelled {
      guard let present = identity else {
        try? await Task.sleep(for: .milliseconds(200))
        continue
      }
      let life = present.notAfter.timeIntervalSince(present.certificate.notValidBefore)
      let wait = present.renewal.timeIntervalSinceNow + Double.random(in: 0...max(life / 30, 0.001))
      if wait > 0 {
        // In steps, so that a clock that is set or a machine that has slept is noticed.
        try? await Task.sleep(for: .milliseconds(Int(min(wait, 60) * 1000) + 1))
        continue
      }
      do { _ = try await renewed(connection) } catch {
        let end = present.notAfter.formatted(.iso8601)
        let problem =
          "the identity cannot be renewed: \(Self.reason(error)); it \(present.notAfter > Date() ? "is good until" : "ended at") \(end)"
        // Once, and not with every try.
        if problem != lastProblem { log.warning("\(problem)") }
        lastProblem = problem
        leaveReplica()
        try? await Task.sleep(for: .milliseconds(Int(min(max(life / 20, 0.2), 60) * 1000)))
      }
    }
  }

  // MARK: Bundles

  /// The archive of a bundle and its file of signatures. On the stream's own connection when there is one: a bundle that
  /// all proxies want at once then costs the control plane no handshakes.
  @Sendable func fetchBundle(_ digest: String) async throws -> (archive: [UInt8], signatures: [UInt8]?) {
    guard let identity else { throw MeshError("the proxy has no identity yet") }
    if let client = state.withLock({ $0.client }) { return try await Self.fetchBundle(digest, client) }
    return try await connection.with(.roots(identity.roots), identity: identity) { client in
      try await Self.fetchBundle(digest, client)
    }
  }

  private static func fetchBundle(
    _ digest: String, _ client: ControlConnection.Client
  ) async throws -> (archive: [UInt8], signatures: [UInt8]?) {
    var call = CallOptions.defaults
    call.timeout = .seconds(60)
    return try await Weft_Discovery_V1_Discovery.Client(wrapping: client).fetchBundle(
      .with { $0.digest = digest }, options: call
    ) { response in
      var archive: [UInt8] = []
      var signatures: [UInt8]?
      for try await chunk in response.messages {
        if signatures == nil, let first = chunk.signatures.first { signatures = Array(first) }
        archive += chunk.data
        if archive.count > BundleStore.sizeLimit { throw MeshError("the bundle is larger than a bundle may be") }
      }
      return (archive, signatures)
    }
  }
}
