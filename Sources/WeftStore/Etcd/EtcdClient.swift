import GRPCCore
import GRPCNIOTransportHTTP2
import NIOCore
import NIOSSL
import Synchronization

/// Connections to the members of an etcd cluster. One member serves all calls until it fails; then the next one does.
final class EtcdClient: Sendable {
  typealias Connection = GRPCClient<HTTP2ClientTransport.Posix>

  private struct Member: Sendable {
    let endpoint: EtcdEndpoint
    let connection: Connection
    let task: Task<Void, Never>
  }

  /// Bytes of a message that is taken: a page of `EtcdStore.page` entries, each as big as the store allows.
  private static let largest = 320 << 20

  private let members: [Member]
  private let timeout: Duration
  private let current = Mutex(0)
  private let closed = Mutex(false)

  /// - Throws: `StoreError.invalid` for endpoints that cannot be read, `.unavailable` for certificates that cannot.
  init(_ endpoints: [String], tls: EtcdStore.TLS, timeout: Duration) throws(StoreError) {
    guard !endpoints.isEmpty else { throw .invalid("etcd needs at least one endpoint, http://HOST:PORT") }
    self.timeout = timeout
    var config = HTTP2ClientTransport.Posix.Config.defaults
    config.backoff = .init(initial: .milliseconds(200), max: .seconds(2), multiplier: 1.6, jitter: 0.2)
    config.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: false)
    config.channelDebuggingCallbacks.onCreateTCPConnection = { channel in
      channel.eventLoop.makeCompletedFuture {
        // Behind TLS, where there is any.
        let pipeline = channel.pipeline.syncOperations
        let tls = try? pipeline.handler(type: NIOSSLClientHandler.self)
        try pipeline.addHandler(ResetFilter(), position: tls.map { .after($0) } ?? .first)
      }
    }
    var members: [Member] = []
    for text in endpoints {
      let endpoint = try EtcdEndpoint(text)
      do {
        let transport = try HTTP2ClientTransport.Posix(
          target: endpoint.target, transportSecurity: endpoint.isSecure ? tls.security : .plaintext, config: config)
        let connection = Connection(transport: transport)
        // Ends when the connection is shut down.
        members.append(
          Member(endpoint: endpoint, connection: connection, task: Task { try? await connection.runConnections() }))
      } catch {
        for member in members { member.connection.beginGracefulShutdown() }
        throw .unavailable("cannot prepare the connection to \(endpoint): \(error); check the certificate files")
      }
    }
    self.members = members
  }

  var isClosed: Bool { closed.withLock { $0 } }

  private var names: String { members.map(\.endpoint.description).joined(separator: ", ") }

  /// One call, with a time-out; by the next members when one cannot be reached. What only reads is tried twice at least: a
  /// connection that was lost is made anew. A write is sent to another member only
  /// when it is certain that it has not been done, since it would be done twice otherwise.
  func call<Value: Sendable>(
    isWrite: Bool = false, _ body: @Sendable (Connection, CallOptions) async throws -> Value
  ) async throws(StoreError) -> Value {
    var options = CallOptions.defaults
    options.timeout = timeout
    options.maxResponseMessageBytes = Self.largest
    options.maxRequestMessageBytes = Self.largest
    let first = current.withLock { $0 }
    var reason = "no answer"
    for step in 0..<max(members.count, isWrite ? 1 : 2) {
      if isClosed { throw .closed }
      let index = (first + step) % members.count
      do { return try await body(members[index].connection, options) } catch {
        if isClosed { throw .closed }
        guard let failure = error as? RPCError, failure.isOfMember else { throw StoreError(etcd: error) }
        leave(index)
        reason = failure.message
        if members.count == 1, failure.code != .unavailable { break }
        if isWrite, !failure.isBeforeSending {
          throw .unavailable(
            "etcd at \(members[index].endpoint) did not answer (\(reason)): whether the change was made is not known; read it, then try again"
          )
        }
      }
    }
    throw .unavailable(
      "etcd cannot be reached at \(names) (\(reason)): check that a majority of its members run and that the endpoints are right"
    )
  }

  /// A stream without a time-out, to the present member. When it fails, the next one is the other member.
  func stream<Value: Sendable>(
    _ body: @Sendable (Connection, CallOptions) async throws -> Value
  ) async throws -> Value {
    if isClosed { throw StoreError.closed }
    let index = current.withLock { $0 }
    var options = CallOptions.defaults
    options.maxResponseMessageBytes = Self.largest
    do { return try await body(members[index].connection, options) } catch {
      if !(error is StoreError), !Task.isCancelled { leave(index) }
      throw error
    }
  }

  /// Goes on to the next member, unless somebody did meanwhile.
  private func leave(_ index: Int) {
    current.withLock { if $0 == index { $0 = (index + 1) % members.count } }
  }

  func close() async {
    let first = closed.withLock { was in
      defer { was = true }
      return !was
    }
    if !first { return }
    for member in members {
      member.connection.beginGracefulShutdown()
      // Calls under way end now.
      member.task.cancel()
    }
    for member in members { await member.task.value }
  }
}

extension RPCError {
  /// Whether another member may do better.
  fileprivate var isOfMember: Bool {
    code == .unavailable || code == .deadlineExceeded || (code == .cancelled && !Task.isCancelled)
  }

  /// Whether it is certain that nothing was done: no connection, or the member says so itself.
  fileprivate var isBeforeSending: Bool {
    guard code == .unavailable else { return false }
    let text = message.lowercased()
    return text.contains("isn't ready") || text.contains("could not establish") || text.contains("no leader")
      || text.contains("isn't enabled") || text.contains("resolve server name")
  }
}
