import Crypto
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import NIOPosix
import Synchronization
import WeftProtocol

/// One proxy of the load: a connection, a stream.
final class LoadedProxy: Sendable {
  private typealias Message = Weft_Discovery_V1_ProxyMessage

  let number: Int
  let plan: Plan
  private let identity: LoadIdentity
  private let port: Int
  private let group: MultiThreadedEventLoopGroup
  private let recorder: Recorder
  private let outgoing: AsyncStream<Weft_Discovery_V1_ProxyMessage>.Continuation
  private let messages: AsyncStream<Weft_Discovery_V1_ProxyMessage>
  private let connected = Atomic(false)
  private let revision = Atomic<UInt64>(0)

  init(
    number: Int, identity: LoadIdentity, port: Int, plan: Plan, group: MultiThreadedEventLoopGroup, recorder: Recorder
  ) {
    self.number = number
    self.identity = identity
    self.port = port
    self.plan = plan
    self.group = group
    self.recorder = recorder
    (messages, outgoing) = AsyncStream<Weft_Discovery_V1_ProxyMessage>.makeStream()
  }

  var isConnected: Bool { connected.load(ordering: .relaxed) }

  func leave() { outgoing.finish() }

  private func send(_ fill: (inout Weft_Discovery_V1_ProxyMessage) -> Void) {
    var message = Message()
    fill(&message)
    outgoing.yield(message)
  }

  /// Connects, and returns when everything that it subscribes to was answered. The stream goes on.
  func start() async throws {
    let (ready, tell) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let task = Task {
      defer {
        connected.store(false, ordering: .relaxed)
        tell.finish()
      }
      do { try await stream(tell) } catch {
        FileHandle.standardError.write(Data("proxy \(number): \(error)\n".utf8))
        throw error
      }
    }
    for await _ in ready { return }
    try await task.value
    throw LoadError("the stream of proxy \(number) ended before it was answered")
  }

  private func stream(_ ready: AsyncStream<Void>.Continuation) async throws {
    var config = HTTP2ClientTransport.Posix.Config.defaults
    // As a proxy has it.
    config.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: false)
    let transport = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: identity.security, config: config,
      eventLoopGroup: group)
    try await withGRPCClient(transport: transport) { [self] client in
      greet()
      let messages = messages
      try await Weft_Discovery_V1_Discovery.Client(wrapping: client).connect { writer in
        for await message in messages { try await writer.write(message) }
      } onResponse: { [self] response in
        var unanswered = plan.subscriptions.reduce(0) { $0 + $1.names.count }
        for try await message in response.messages {
          guard case .delta(let delta)? = message.message else { continue }
          take(delta, client)
          if unanswered > 0 {
            unanswered -= delta.answered.count
            if unanswered <= 0 {
              connected.store(true, ordering: .relaxed)
              reportWorkload(sent: nil)
              ready.yield()
            }
          }
        }
        outgoing.finish()
      }
    }
  }

  private func greet() {
    send {
      $0.hello.kind = .sidecar
      $0.hello.namespace = "default"
      $0.hello.name = plan.service
      $0.hello.instance = "i\(number)"
      $0.hello.version = "load"
    }
    for subscription in plan.subscriptions {
      send {
        $0.subscription.type = subscription.type
        $0.subscription.subscribe = subscription.names
      }
    }
  }

  private func take(_ delta: Weft_Discovery_V1_Delta, _ client: Client) {
    revision.store(delta.revision, ordering: .relaxed)
    send {
      $0.acknowledgement.type = delta.type
      $0.acknowledgement.nonce = delta.nonce
    }
    for resource in delta.resources {
      switch delta.type {
      case "weft.dev/v1/FilterBundle": fetch(resource, client)
      case "weft.dev/v1/Workload":
        if let sent = Recorder.sent(resource.body) { recorder.add("workload", sent: sent) }
      default: if let sent = Recorder.sent(resource.body) { recorder.add("route", sent: sent) }
      }
    }
  }

  // MARK: Bundles

  private struct FilterBundle: Decodable {
    struct Spec: Decodable { let digest: String }
    let spec: Spec
  }

  /// As a proxy does: fetched on the stream's connection, verified, reported.
  private func fetch(_ resource: Weft_Discovery_V1_DiscoveredResource, _ client: Client) {
    guard let digest = try? JSONDecoder().decode(FilterBundle.self, from: resource.body).spec.digest else { return }
    Task {
      do {
        let archive = try await Weft_Discovery_V1_Discovery.Client(wrapping: client).fetchBundle(
          .with { $0.digest = digest }
        ) { response in
          var archive = Data()
          for try await chunk in response.messages { archive += chunk.data }
          return archive
        }
        let found = SHA256.hash(data: archive).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard digest == "sha256:\(found)" else { throw LoadError("the archive has the digest \(found)") }
        send {
          $0.bundle.name = resource.name
          $0.bundle.digest = digest
          $0.bundle.state = .ready
        }
        if let sent = Recorder.sent(resource.body) { recorder.add("bundle", sent: sent) }
      } catch { FileHandle.standardError.write(Data("proxy \(number): \(digest): \(error)\n".utf8)) }
    }
  }

  // MARK: Reports

  func changeWorkload() { reportWorkload(sent: Clock.nanoseconds) }

  private func reportWorkload(sent: UInt64?) {
    send {
      $0.workload.isServing = true
      $0.workload.address = "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255):8080"
      $0.workload.servicePort = 80
      $0.workload.health = .healthy
      $0.workload.weight = 1
      $0.workload.isMutualTls = true
      $0.workload.protocol = "http"
      if let sent { $0.workload.labels = ["sent-ns": "\(sent)"] }
    }
  }

  /// A few calls to each service that it calls.
  func reportTelemetry(interval: UInt32) {
    guard isConnected else { return }
    send {
      $0.telemetry.intervalMs = interval
      $0.telemetry.revision = revision.load(ordering: .relaxed)
      $0.telemetry.edges = plan.callees.map { callee in
        .with { edge in
          edge.source = "default/\(plan.service)"
          edge.destination = callee
          edge.route = "HTTPRoute/\(callee)"
          edge.code = 200
          edge.requests = 100
          edge.latency = (0..<24).map { $0 == 5 ? 100 : 0 }
        }
      }
    }
  }
}
