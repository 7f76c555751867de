import Foundation
import GRPCCore
import Logging
import WeftConfig
import WeftIdentity
import WeftProtocol
import WeftStore

/// Serves all streams from one watch of the store. It alone holds and changes their state; streams read and write on
/// tasks of their own and meet here.
actor DiscoveryHub {
  struct Options: Sendable {
    var replica = "control"
    var version = ""
    var telemetryInterval: UInt32 = 10_000
    /// Changes that come closer than this are sent together, ...
    var debounce = Duration.milliseconds(20)
    /// ... but none waits longer than this.
    var patience = Duration.milliseconds(200)
    /// Seconds in which `hello` must come.
    var helloTime = 10.0
    /// Seconds in which a goodbye must be taken.
    var goodbyeTime = 5.0
    var mostStreams = 20_000
  }

  let options: Options
  let store: any Store
  let log: Logger
  let trustDomain: String
  let workloads: WorkloadRegistrar
  let telemetry: TelemetryAggregator

  var index = DiscoveryIndex()
  /// Whether the store has been read once.
  var isReady = false
  var streams: [UInt64: ProxyStream] = [:]
  /// Who subscribes to what.
  var subscribers: [ResourceKind: [String: Set<UInt64>]] = [:]
  /// Types that streams have named.
  var types: [String: StreamKind.Name] = [:]
  var registry = ProxyRegistry()
  var changes: DiscoveryIndex.Changes = [:]
  var firstChange: ContinuousClock.Instant?
  var lastChange = ContinuousClock.now
  private var lastStream: UInt64 = 0
  private(set) var farewell: String?
  /// Streams since the start.
  var opened: UInt64 { lastStream }

  init(
    _ store: any Store, trustDomain: String, workloads: WorkloadRegistrar, telemetry: TelemetryAggregator,
    options: Options, log: Logger
  ) {
    self.store = store
    self.trustDomain = trustDomain
    self.workloads = workloads
    self.telemetry = telemetry
    self.options = options
    self.log = log
  }

  nonisolated var now: Double { Date().timeIntervalSince1970 }

  // MARK: Streams

  /// A new stream of somebody whose certificate is good.
  /// - Returns: its number.
  func open(_ peer: PeerIdentity, _ response: ProxyStream.Response) throws -> UInt64 {
    if let farewell { throw RPCError(code: .unavailable, message: farewell) }
    guard streams.count < options.mostStreams else {
      throw RPCError(
        code: .resourceExhausted,
        message: "\(streams.count) proxies are connected to this replica; connect to another one")
    }
    lastStream += 1
    streams[lastStream] = ProxyStream(number: lastStream, peer: peer, response: response, now: now)
    return lastStream
  }

  /// What ends a stream, whatever it is doing.
  func attach(_ number: UInt64, _ end: @escaping @Sendable () -> Void) {
    guard let stream = streams[number] else { return end() }
    stream.reader = end
    if stream.isEnded { end() }
  }

  /// The stream is over.
  /// - Returns: whether it was ended from here.
  @discardableResult
  func close(_ number: UInt64) async -> Bool {
    guard let stream = streams.removeValue(forKey: number) else { return false }
    for state in stream.kinds {
      for name in state.subscriptions.names { removeSubscriber(number, state.type.kind, name) }
    }
    stream.forget()
    if let id = stream.id, registry[id]?.stream == number {
      let now = now
      registry.update(id) { record in
        record.stream = nil
        record.status.connectedSince = nil
        record.status.lastSeen = now
        record.status.sync = .disconnected
      }
      registry.report(.normal, "Disconnected", id, stream.goodbye ?? "the stream ended", now: now)
    }
    await workloads.end(of: number)
    return stream.isEnded
  }

  /// A message of a proxy.
  ///
  /// It does not wait for anything: what the reader of a stream waits in, it keeps the memory of for as long as it lives.
  /// - Returns: what is left to do, in a task of its own.
  /// - Throws: `RPCError` for what no proxy may send; the stream ends with it.
  func receive(
    _ message: Weft_Discovery_V1_ProxyMessage, on number: UInt64
  ) throws -> (@Sendable () async throws -> Void)? {
    guard let stream = streams[number], stream.goodbye == nil else { return nil }
    if case .hello(let hello)? = message.message {
      try greet(stream, hello)
      return nil
    }
    guard let id = stream.id else {
      throw RPCError(code: .failedPrecondition, message: "the first message of a stream is hello")
    }
    switch message.message {
    case .subscription(let subscription): try subscribe(stream, subscription)
    case .acknowledgement(let acknowledgement): try acknowledge(stream, id, acknowledgement)
    case .workload(let report):
      guard stream.kind == .sidecar else {
        throw RPCError(code: .permissionDenied, message: "\(id) is a gateway: only sidecars report workloads")
      }
      let (workloads, identity, instance) = (workloads, stream.peer.id, registry[id]?.status.instance ?? "")
      return {
        do { try await workloads.report(report, of: identity, instance: instance, on: number) } catch let error
          as WorkloadRegistrar.Refused
        { throw RPCError(code: .invalidArgument, message: error.description) }
      }
    case .telemetry(let report):
      telemetry.add(report)
      let now = now
      registry.update(id) { record in
        record.status.lastSeen = now
        if report.certificateNotAfter > 0 { record.status.certificateNotAfter = Double(report.certificateNotAfter) }
      }
    case .bundle(let report): note(stream, id, report)
    case .hello, nil: break
    }
    return nil
  }

  private func greet(_ stream: ProxyStream, _ hello: Weft_Discovery_V1_Hello) throws {
    guard stream.id == nil else { throw RPCError(code: .failedPrecondition, message: "hello came twice") }
    let identity = stream.peer.id
    guard hello.namespace == identity.namespace, hello.name == identity.name else {
      throw RPCError(
        code: .permissionDenied,
        message:
          "the certificate is for \(identity.namespace)/\(identity.name), and hello says \(hello.namespace.prefix(80))/\(hello.name.prefix(80))"
      )
    }
    switch hello.kind {
    case .gateway: stream.kind = .gateway
    case .sidecar: stream.kind = .sidecar
    default: throw RPCError(code: .invalidArgument, message: "hello names no kind of proxy")
    }
    guard (1...128).contains(hello.instance.utf8.count), !hello.instance.contains("/"),
      hello.instance.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else {
      throw RPCError(
        code: .invalidArgument,
        message: "the instance in hello takes 1 to 128 printable ASCII characters other than \"/\"")
    }
    guard hello.version.utf8.count <= 64, hello.zone.utf8.count <= 64, hello.labels.count <= 64,
      hello.labels.allSatisfy({ $0.key.utf8.count <= 128 && $0.value.utf8.count <= 128 })
    else { throw RPCError(code: .invalidArgument, message: "version, zone or labels in hello are too long") }
    let id = "\(stream.kind.rawValue)/\(hello.namespace)/\(hello.name)/\(hello.instance)"
    guard hello.id.isEmpty || hello.id == id else {
      throw RPCError(code: .invalidArgument, message: "the id in hello must be \(id)")
    }
    stream.id = id
    let status = ProxyStatus(
      id: id, kind: stream.kind, namespace: hello.namespace, name: hello.name, instance: hello.instance,
      version: hello.version, zone: hello.zone, labels: hello.labels, connectedSince: now, lastSeen: now,
      replica: options.replica, sync: .syncing, revision: 0, latestRevision: index.revision,
      certificateNotAfter: stream.peer.notAfter, rejections: [], bundles: [])
    if let other = registry[id]?.stream { dismiss(other, "the proxy connected again") }
    var record = registry[id] ?? ProxyRegistry.Record(status: status)
    record.status = status
    record.stream = stream.number
    registry[id] = record
    registry.report(.normal, "Connected", id, "version \(hello.version) to replica \(options.replica)", now: now)
    var welcome = Weft_Discovery_V1_Welcome()
    welcome.replica = options.replica
    welcome.version = options.version
    welcome.trustDomain = trustDomain
    welcome.telemetryIntervalMs = options.telemetryInterval
    var message = Weft_Discovery_V1_ControlMessage()
    message.welcome = welcome
    stream.first.append(message)
    wake(stream)
  }

  /// There may be something to send.
  func wake(_ stream: ProxyStream) {
    guard !stream.isWriting else { return }
    stream.isWriting = true
    let (number, response) = (stream.number, stream.response)
    Task { await write(number, response) }
  }

  /// Sends what there is.
  private func write(_ number: UInt64, _ response: ProxyStream.Response) async {
    while true {
      switch next(for: number) {
      case .message(let message):
        // It fails when the stream is over, which its reader sees as well.
        do { try await response.write(message) } catch { return }
      case .nothing:
        streams[number]?.isWriting = false
        return
      case .goodbye(let message):
        try? await response.write(message)
        streams[number]?.end()
        return
      case .over: return
      }
    }
  }

  /// What a stream sends next.
  private enum Next {
    case message(Weft_Discovery_V1_ControlMessage)
    /// Nothing until it is woken.
    case nothing
    /// The last one.
    case goodbye(Weft_Discovery_V1_ControlMessage)
    case over
  }

  /// One at a time, so that a slow proxy holds one encoded delta and no more.
  private func next(for number: UInt64) -> Next {
    guard let stream = streams[number] else { return .over }
    if let reason = stream.goodbye {
      var message = Weft_Discovery_V1_ControlMessage()
      message.goodbye.reason = reason
      return .goodbye(message)
    }
    if !stream.first.isEmpty { return .message(stream.first.removeFirst()) }
    guard isReady, stream.id != nil else { return .nothing }
    for place in stream.kinds.indices {
      if let delta = delta(stream, place) {
        var message = Weft_Discovery_V1_ControlMessage()
        message.delta = delta
        return .message(message)
      }
    }
    return .nothing
  }

  /// Ends a stream with a goodbye.
  func dismiss(_ number: UInt64, _ reason: String) {
    guard let stream = streams[number], stream.goodbye == nil else { return }
    stream.goodbye = reason
    stream.dismissed = now
    wake(stream)
  }

  /// Ends the streams of a workload that was revoked.
  func cut(namespace: String, name: String, since: Double) {
    for stream in streams.values
    where stream.peer.id.namespace == namespace && stream.peer.id.name == name && stream.peer.issued <= since {
      dismiss(stream.number, "\(namespace)/\(name) was revoked")
    }
    registry.report(.warning, "Revoked", "\(namespace)/\(name)", "its certificates and tokens are refused", now: now)
  }

  /// Says goodbye to everybody, and takes nobody any more.
  func shutDown(_ reason: String) {
    farewell = reason
    for number in streams.keys { dismiss(number, reason) }
  }

  /// What time brings: streams without a hello, certificates that end, proxies that are forgotten.
  func sweep(at time: Double? = nil) {
    let now = time ?? now
    for stream in streams.values {
      // One that does not even read its goodbye.
      if stream.goodbye != nil, now - stream.dismissed > options.goodbyeTime { stream.end() }
      if stream.id == nil, now - stream.opened > options.helloTime {
        dismiss(stream.number, "no hello came in \(Int(options.helloTime)) s")
      }
      if now >= stream.peer.notAfter {
        dismiss(stream.number, "the certificate of this connection has ended: connect with the present one")
      }
    }
    registry.forget(now: now)
  }
}
