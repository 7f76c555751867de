import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import Synchronization
import Testing
import WeftIdentity
import WeftProtocol

/// A proxy's end of the discovery stream, each step by the test's hand.
final class TestProxy: Sendable {
  typealias Delta = Weft_Discovery_V1_Delta

  private let outgoing: AsyncStream<Weft_Discovery_V1_ProxyMessage>.Continuation
  private let inbox = Inbox()
  private let client: GRPCClient<HTTP2ClientTransport.Posix>
  private let tasks: [Task<Void, any Error>]

  convenience init(_ port: Int, _ member: Member) throws { try self.init(port, member.security) }

  private let gate: AsyncStream<Void>.Continuation

  /// - Parameter isReading: false: it reads nothing before `read`.
  init(_ port: Int, _ security: HTTP2ClientTransport.Posix.TransportSecurity, isReading: Bool = true) throws {
    let (opened, gate) = AsyncStream<Void>.makeStream()
    self.gate = gate
    if isReading { gate.finish() }
    let (messages, outgoing) = AsyncStream<Weft_Discovery_V1_ProxyMessage>.makeStream()
    self.outgoing = outgoing
    let client = GRPCClient(
      transport: try HTTP2ClientTransport.Posix(
        target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: security))
    self.client = client
    let inbox = inbox
    tasks = [
      Task { try await client.runConnections() },
      Task {
        do {
          try await Weft_Discovery_V1_Discovery.Client(wrapping: client).connect { writer in
            for await message in messages { try await writer.write(message) }
          } onResponse: { response in
            for await _ in opened {}
            for try await message in response.messages { inbox.put(.message(message)) }
          }
          inbox.put(.end(nil))
        } catch { inbox.put(.end(error)) }
      },
    ]
  }

  /// Begins to read.
  func read() { gate.finish() }

  func send(_ set: (inout Weft_Discovery_V1_ProxyMessage) -> Void) {
    var message = Weft_Discovery_V1_ProxyMessage()
    set(&message)
    outgoing.yield(message)
  }

  func greet(_ member: Member, kind: Weft_Discovery_V1_ProxyKind, instance: String) async throws {
    send { message in
      message.hello.kind = kind
      message.hello.namespace = member.id.namespace
      message.hello.name = member.id.name
      message.hello.instance = instance
      message.hello.version = "test"
    }
    let first = try await next()
    guard case .welcome? = first.message else { throw IdentityError("no welcome but \(first)") }
  }

  func subscribe(_ type: String, _ names: String..., without: [String] = [], held: [String: String] = [:]) {
    send { message in
      message.subscription.type = type
      message.subscription.subscribe = names
      message.subscription.unsubscribe = without
      message.subscription.held = held
    }
  }

  func acknowledge(_ delta: Delta, _ errors: (name: String, message: String)...) {
    let versions = Dictionary(delta.resources.map { ($0.name, $0.version) }) { first, _ in first }
    send { message in
      message.acknowledgement.type = delta.type
      message.acknowledgement.nonce = delta.nonce
      message.acknowledgement.errors = errors.map { error in
        var refused = Weft_Discovery_V1_ResourceError()
        refused.name = error.name
        refused.version = versions[error.name] ?? ""
        refused.message = error.message
        return refused
      }
    }
  }

  /// The next message. Fails when the stream ends first.
  func next() async throws -> Weft_Discovery_V1_ControlMessage {
    switch try await inbox.next() {
    case .message(let message): return message
    case .end(let error): throw error ?? IdentityError("the stream ended")
    }
  }

  /// The next delta, acknowledged or not.
  func delta(acknowledging: Bool = true) async throws -> Delta {
    let message = try await next()
    guard case .delta(let delta)? = message.message else { throw IdentityError("no delta but \(message)") }
    if acknowledging { acknowledge(delta) }
    return delta
  }

  /// Reads until the stream ends: the goodbye's reason, if there was one, and the error.
  func end() async throws -> (goodbye: String?, error: RPCError?) {
    var reason: String?
    while true {
      switch try await inbox.next() {
      case .message(let message): if case .goodbye(let goodbye)? = message.message { reason = goodbye.reason }
      case .end(let error): return (reason, error as? RPCError)
      }
    }
  }

  /// Whether nothing comes for that long. A message that should not come is not waited for longer.
  func isSilent(_ time: Duration = .milliseconds(500)) async throws -> Bool {
    try await Task.sleep(for: time)
    return inbox.isEmpty
  }

  /// Leaves as a process does that is killed.
  func vanish() {
    outgoing.finish()
    for task in tasks { task.cancel() }
    client.beginGracefulShutdown()
  }

  deinit { vanish() }
}

/// What came, in order.
private final class Inbox: Sendable {
  enum Item: Sendable {
    case message(Weft_Discovery_V1_ControlMessage)
    case end((any Error)?)
  }

  private let items: AsyncStream<Item>
  private let continuation: AsyncStream<Item>.Continuation
  private let count = Mutex(0)

  init() { (items, continuation) = AsyncStream<Item>.makeStream() }

  var isEmpty: Bool { count.withLock { $0 == 0 } }

  func put(_ item: Item) {
    count.withLock { $0 += 1 }
    continuation.yield(item)
  }

  /// Waits a minute at most.
  func next() async throws -> Item {
    try await withThrowingTaskGroup(of: Item.self) { group in
      let items = items
      group.addTask {
        for await item in items { return item }
        throw IdentityError("the inbox is closed")
      }
      group.addTask {
        try await Task.sleep(for: .seconds(60))
        throw IdentityError("nothing came for a minute")
      }
      defer { group.cancelAll() }
      guard let item = try await group.next() else { throw IdentityError("nothing came") }
      count.withLock { $0 -= 1 }
      return item
    }
  }
}

/// Waits until `condition` holds, a minute at most.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
  let end = ContinuousClock.now + .seconds(60)
  while ContinuousClock.now < end {
    if try await condition() { return true }
    try await Task.sleep(for: .milliseconds(20))
  }
  return false
}
