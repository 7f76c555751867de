import Foundation
import GRPCCore
import WeftConfig
import WeftProtocol

extension DiscoveryHub {
  private typealias Limits = ProxyStream.Limits

  func subscribe(_ stream: ProxyStream, _ message: Weft_Discovery_V1_Subscription) throws {
    let type = try shared(message.type)
    let known = stream.place(type.kind)
    guard known != nil || stream.kinds.count < Limits.kinds else {
      throw RPCError(code: .resourceExhausted, message: "a stream takes at most \(Limits.kinds) types")
    }
    // Whatever happens, the kind is there: `close` finds by it what to take back.
    try stream.change(known ?? stream.add(type)) { state in
      for name in message.unsubscribe { unsubscribe(stream, &state, name) }
      if known == nil { try hold(&state, message.held) }
      state.subscriptions.reserve(state.subscriptions.count + message.subscribe.count)
      for name in message.subscribe { try subscribe(stream, &state, name) }
    }
    wake(stream)
  }

  private func subscribe(_ stream: ProxyStream, _ state: inout StreamKind, _ name: String) throws {
    guard (1...Limits.nameBytes).contains(name.utf8.count) else {
      throw RPCError(code: .invalidArgument, message: "a name takes 1 to \(Limits.nameBytes) bytes")
    }
    let kind = state.type.kind
    let name = shared(kind, name)
    if state.subscriptions.insert(name) {
      stream.names += 1
      subscribers[kind, default: [:]][name, default: []].insert(stream.number)
    }
    guard stream.names <= Limits.names else {
      throw RPCError(code: .resourceExhausted, message: "a stream takes at most \(Limits.names) subscriptions")
    }
    state.unanswered.insert(name)
    state.pending.formUnion(index.names(kind, name))
    if name.utf8.first != UInt8(ascii: "@") && name != "*" { state.pending.insert(name) }
  }

  static func kind(_ type: String) throws -> ResourceKind {
    guard let kind = DiscoveryType.kind(type) else {
      throw RPCError(
        code: .invalidArgument,
        message: "\"\(type.prefix(80))\" is no type: write GROUP/VERSION/KIND, or v1/KIND for core kinds")
    }
    return kind
  }

  private func unsubscribe(_ stream: ProxyStream, _ state: inout StreamKind, _ name: String) {
    guard state.subscriptions.remove(name) != nil else { return }
    let kind = state.type.kind
    stream.names -= 1
    removeSubscriber(stream.number, kind, name)
    state.unanswered.remove(name)
    let found = name == "*" ? state.sent.names : Array(index.names(kind, name)) + [name]
    for name in found where state.sent.contains(name) {
      // Another subscription may find it as well.
      if let resource = index.resource(kind, name), state.isSubscribed(to: resource) { continue }
      state.sent.remove(name)
      state.pending.remove(name)
    }
  }

  /// What the proxy brings from its last stream: only what differs is sent, and what is gone is said.
  private func hold(_ state: inout StreamKind, _ held: [String: String]) throws {
    guard held.count <= Limits.names, held.keys.allSatisfy({ $0.utf8.count <= Limits.nameBytes }) else {
      throw RPCError(code: .resourceExhausted, message: "a proxy holds at most \(Limits.names) resources of a type")
    }
    for (name, version) in held {
      state.sent[name] = ResourceVersion(version) ?? ResourceVersion(body: [])
      state.pending.insert(name)
    }
  }

  /// A type as all streams share it.
  private func shared(_ type: String) throws -> StreamKind.Name {
    if let known = types[type] { return known }
    let name = StreamKind.Name(type, try Self.kind(type))
    if types.count < Limits.types { types[type] = name }
    return name
  }

  /// The same text, from the table that all streams share.
  private func shared(_ kind: ResourceKind, _ name: String) -> String {
    guard let table = subscribers[kind], let place = table.index(forKey: name) else { return name }
    return table[place].key
  }

  func removeSubscriber(_ number: UInt64, _ kind: ResourceKind, _ name: String) {
    subscribers[kind]?[name]?.remove(number)
    if subscribers[kind]?[name]?.isEmpty == true { subscribers[kind]?[name] = nil }
    if subscribers[kind]?.isEmpty == true { subscribers[kind] = nil }
  }

  /// The next delta of a kind; nil when there is nothing to say, or the last one is not acknowledged yet.
  func delta(_ stream: ProxyStream, _ place: Int) -> Weft_Discovery_V1_Delta? {
    guard stream.kinds[place].isWaiting else { return nil }
    return stream.change(place) { delta(stream, &$0) }
  }

  private func delta(_ stream: ProxyStream, _ state: inout StreamKind) -> Weft_Discovery_V1_Delta? {
    let kind = state.type.kind
    var delta = Weft_Discovery_V1_Delta()
    var bytes = 0
    let pending = state.pending.sorted()
    state.sent.reserve(state.sent.count + pending.count { !state.sent.contains($0) && index.resource(kind, $0) != nil })
    for name in pending {
      if bytes >= Limits.deltaBytes || delta.resources.count >= Limits.deltaResources { break }
      state.pending.remove(name)
      if let resource = index.resource(kind, name), isVisible(resource, state, stream) {
        if state.sent[name] == resource.version { continue }
        state.sent[resource.name] = resource.version
        var found = Weft_Discovery_V1_DiscoveredResource()
        found.name = resource.name
        found.version = resource.version.text
        found.body = resource.body
        delta.resources.append(found)
        bytes += resource.body.count + resource.name.utf8.count + 64
      } else {
        let had = state.sent.remove(name) != nil
        if had || state.unanswered.contains(name) { delta.removed.append(name) }
        if had { withdraw(stream, kind, name) }
      }
    }
    if state.pending.isEmpty {
      // Not only empty, but without the memory that it had.
      state.pending = []
      delta.answered = state.unanswered.sorted()
      state.unanswered = []
    }
    if delta.resources.isEmpty && delta.removed.isEmpty && delta.answered.isEmpty { return nil }
    stream.nonces += 1
    delta.type = state.type.text
    delta.nonce = String(stream.nonces)
    delta.revision = index.revision
    state.outstanding = StreamKind.Outstanding(
      nonce: delta.nonce, names: delta.resources.map(\.name), revision: delta.revision)
    return delta
  }

  private func isVisible(
    _ resource: IndexedResource, _ state: StreamKind, _ stream: ProxyStream
  ) -> Bool {
    guard state.type.kind == DiscoveryIndex.secret else { return state.isSubscribed(to: resource) }
    // Secrets are found by their names alone.
    guard state.subscriptions.contains(resource.name) else { return false }
    let id = stream.peer.id
    return SecretAccess(index: index).mayRead(
      resource.name, kind: stream.kind, namespace: id.namespace, name: id.name)
  }

  /// An answer to a delta. One for a delta that is not the last one of its type comes late or twice: it changes nothing
  /// but the errors that it names, which count while the proxy has that version.
  func acknowledge(
    _ stream: ProxyStream, _ id: String, _ message: Weft_Discovery_V1_Acknowledgement
  ) throws {
    let kind = try Self.kind(message.type)
    guard let place = stream.place(kind), let nonce = UInt64(message.nonce), nonce <= stream.nonces else {
      throw RPCError(
        code: .invalidArgument,
        message: "no delta of \(message.type.prefix(80)) with nonce \"\(message.nonce.prefix(20))\" was sent")
    }
    let refused = Set(message.errors.lazy.filter { !$0.message.isEmpty }.map(\.name))
    if let outstanding = stream.kinds[place].outstanding, outstanding.nonce == message.nonce {
      stream.change(place) { $0.outstanding = nil }
      for name in outstanding.names where !refused.contains(name) { withdraw(stream, kind, name) }
      stream.revision = max(stream.revision, outstanding.revision)
      let revision = stream.revision
      let now = now
      registry.update(id) { record in
        record.status.revision = revision
        record.status.lastSeen = now
      }
      wake(stream)
    }
    for error in message.errors {
      guard let sent = stream.kinds[place].sent[error.name], error.version.isEmpty || error.version == sent.text else {
        continue
      }
      if error.message.isEmpty {
        withdraw(stream, kind, error.name)
      } else {
        reject(stream, id, kind, error, message.type)
      }
    }
  }

  private func reject(
    _ stream: ProxyStream, _ id: String, _ kind: ResourceKind, _ error: Weft_Discovery_V1_ResourceError, _ type: String
  ) {
    let key = ProxyRegistry.Rejected(kind: kind, name: error.name)
    let rejection = ResourceRejection(
      type: type, name: error.name, version: error.version, message: Self.cut(error.message), since: now, proxy: id)
    let known = registry[id]?.rejections[key]
    if known?.version == rejection.version && known?.message == rejection.message { return }
    registry.update(id) { record in
      guard record.rejections.count < Limits.rejections || record.rejections[key] != nil else { return }
      record.rejections[key] = rejection
    }
    registry.report(.warning, "Rejected", "\(kind) \(error.name)", "\(id): \(rejection.message)", now: now)
  }

  private static func cut(_ text: String) -> String {
    text.utf8.count <= Limits.messageBytes
      ? text : String(decoding: text.utf8.prefix(Limits.messageBytes), as: UTF8.self)
  }

  /// A rejection no longer stands.
  private func withdraw(_ stream: ProxyStream, _ kind: ResourceKind, _ name: String) {
    guard let id = stream.id else { return }
    let key = ProxyRegistry.Rejected(kind: kind, name: name)
    guard registry[id]?.rejections[key] != nil else { return }
    registry.update(id) { $0.rejections[key] = nil }
    registry.report(.normal, "Accepted", "\(kind) \(name)", id, now: now)
  }

  func note(_ stream: ProxyStream, _ id: String, _ report: Weft_Discovery_V1_BundleReport) {
    guard report.name.utf8.count <= Limits.nameBytes, report.digest.utf8.count <= 128 else { return }
    let state: BundleStatus.State = report.state == .ready ? .ready : .rejected
    let status = BundleStatus(
      name: report.name, digest: report.digest, state: state, error: Self.cut(report.error))
    registry.update(id) { record in
      guard record.bundles.count < Limits.bundles || record.bundles[report.name] != nil else { return }
      record.bundles[report.name] = status
    }
    if state == .rejected {
      registry.report(.warning, "BundleRejected", "FilterBundle \(report.name)", "\(id): \(status.error)", now: now)
    }
  }
}
