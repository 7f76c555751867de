import Foundation
import GRPCCore
import WeftConfig
import WeftProtocol

extension DiscoveryHub {
  private typealias Limits = ProxyStream.Limits

  func subscribe(_ stream: ProxyStream, _ message: Weft_Discovery_V1_Subscription) throws {
    let (kind, type) = try shared(message.type)
    let isNew = stream.kinds[kind] == nil
    guard !isNew || stream.kinds.count < Limits.kinds else {
      throw RPCError(code: .resourceExhausted, message: "a stream takes at most \(Limits.kinds) types")
    }
    // Taken out while it is changed, so that its tables are not copied.
    var state = stream.kinds.removeValue(forKey: kind) ?? ProxyStream.Kind(type: type)
    // Whatever happens: `close` finds by it what to take back.
    defer { stream.kinds[kind] = state }
    for name in message.unsubscribe { unsubscribe(stream, kind, &state, name) }
    if isNew { try hold(&state, message.held) }
    for name in message.subscribe {
      guard (1...Limits.nameBytes).contains(name.utf8.count) else {
        throw RPCError(code: .invalidArgument, message: "a name takes 1 to \(Limits.nameBytes) bytes")
      }
      let name = shared(kind, name)
      if state.subscriptions.insert(name).inserted {
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
    wake(stream)
  }

  static func kind(_ type: String) throws -> ResourceKind {
    guard let kind = DiscoveryType.kind(type) else {
      throw RPCError(
        code: .invalidArgument,
        message: "\"\(type.prefix(80))\" is no type: write GROUP/VERSION/KIND, or v1/KIND for core kinds")
    }
    return kind
  }

  private func unsubscribe(
    _ stream: ProxyStream, _ kind: ResourceKind, _ state: inout ProxyStream.Kind, _ name: String
  ) {
    guard state.subscriptions.remove(name) != nil else { return }
    stream.names -= 1
    removeSubscriber(stream.number, kind, name)
    state.unanswered.remove(name)
    let found = name == "*" ? Array(state.sent.keys) : Array(index.names(kind, name)) + [name]
    for name in found where state.sent[name] != nil {
      // Another subscription may find it as well.
      if let resource = index.resource(kind, name), state.isSubscribed(to: resource) { continue }
      state.sent[name] = nil
      state.pending.remove(name)
    }
  }

  /// What the proxy brings from its last stream: only what differs is sent, and what is gone is said.
  private func hold(_ state: inout ProxyStream.Kind, _ held: [String: String]) throws {
    guard held.count <= Limits.names, held.keys.allSatisfy({ $0.utf8.count <= Limits.nameBytes }) else {
      throw RPCError(code: .resourceExhausted, message: "a proxy holds at most \(Limits.names) resources of a type")
    }
    for (name, version) in held {
      state.sent[name] = ResourceVersion(version) ?? ResourceVersion(body: [])
      state.pending.insert(name)
    }
  }

  /// A type as all streams share it.
  private func shared(_ type: String) throws -> (ResourceKind, String) {
    if let place = types.index(forKey: type) { return (types.values[place], types.keys[place]) }
    let kind = try Self.kind(type)
    if types.count < Limits.types { types[type] = kind }
    return (kind, type)
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
  func delta(_ stream: ProxyStream, _ kind: ResourceKind) -> Weft_Discovery_V1_Delta? {
    guard stream.kinds[kind]?.isWaiting == true, var state = stream.kinds.removeValue(forKey: kind) else { return nil }
    defer { stream.kinds[kind] = state }
    var delta = Weft_Discovery_V1_Delta()
    var bytes = 0
    for name in state.pending.sorted() {
      if bytes >= Limits.deltaBytes || delta.resources.count >= Limits.deltaResources { break }
      state.pending.remove(name)
      if let resource = index.resource(kind, name), isVisible(resource, kind, state, stream) {
        if state.sent[name] == resource.version { continue }
        state.sent[resource.name] = resource.version
        var found = Weft_Discovery_V1_DiscoveredResource()
        found.name = resource.name
        found.version = resource.version.text
        found.body = resource.body
        delta.resources.append(found)
        bytes += resource.body.count + resource.name.utf8.count + 64
      } else {
        let had = state.sent.removeValue(forKey: name) != nil
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
    delta.type = state.type
    delta.nonce = String(stream.nonces)
    delta.revision = index.revision
    state.outstanding = ProxyStream.Outstanding(
      nonce: delta.nonce, names: delta.resources.map(\.name), revision: delta.revision)
    return delta
  }

  private func isVisible(
    _ resource: IndexedResource, _ kind: ResourceKind, _ state: ProxyStream.Kind, _ stream: ProxyStream
  ) -> Bool {
    guard kind == DiscoveryIndex.secret else { return state.isSubscribed(to: resource) }
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
    guard let state = stream.kinds[kind], let nonce = UInt64(message.nonce), nonce <= stream.nonces else {
      throw RPCError(
        code: .invalidArgument,
        message: "no delta of \(message.type.prefix(80)) with nonce \"\(message.nonce.prefix(20))\" was sent")
    }
    let refused = Set(message.errors.lazy.filter { !$0.message.isEmpty }.map(\.name))
    if let outstanding = state.outstanding, outstanding.nonce == message.nonce {
      stream.kinds[kind]?.outstanding = nil
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
      guard let sent = state.sent[error.name], error.version.isEmpty || error.version == sent.text else { continue }
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
