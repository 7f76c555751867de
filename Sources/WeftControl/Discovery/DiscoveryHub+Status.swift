extension DiscoveryHub: MeshStatus {
  func proxies() -> [ProxyStatus] { registry.records.values.map(status).sorted { $0.id < $1.id } }

  func proxy(_ id: String) -> ProxyStatus? { registry[id].map(status) }

  func rejections(type: String, name: String) -> [ResourceRejection] {
    guard let kind = DiscoveryType.kind(type) else { return [] }
    let key = ProxyRegistry.Rejected(kind: kind, name: name)
    return registry.records.values.compactMap { $0.rejections[key] }.sorted { $0.proxy < $1.proxy }
  }

  func events(after number: UInt64) -> [MeshEvent] { registry.events(after: number) }

  private func status(_ record: ProxyRegistry.Record) -> ProxyStatus {
    var status = record.status
    status.latestRevision = index.revision
    status.rejections = record.rejections.values.sorted { ($0.type, $0.name) < ($1.type, $1.name) }
    status.bundles = record.bundles.values.sorted { $0.name < $1.name }
    guard let number = record.stream, let stream = streams[number] else {
      status.sync = .disconnected
      return status
    }
    if !status.rejections.isEmpty {
      status.sync = .stale
    } else if isReady && stream.isSynced {
      status.sync = .synced
      // Nothing of what came since concerns it.
      status.revision = index.revision
    } else {
      status.sync = .syncing
    }
    return status
  }

  /// What waits for a proxy: deltas that it has not answered, and names that may have changed for it. nil: it has no
  /// stream.
  func waiting(_ id: String) -> (outstanding: Int, names: Int)? {
    guard let number = registry[id]?.stream, let stream = streams[number] else { return nil }
    return (
      stream.kinds.count { $0.outstanding != nil }, stream.kinds.reduce(0) { $0 + $1.pending.count }
    )
  }

  /// An event from elsewhere in the control plane.
  func report(_ severity: MeshEvent.Severity, _ reason: String, _ subject: String, _ message: String) {
    registry.report(severity, reason, subject, message, now: now)
  }

  /// Figures for metrics: streams that are open, resources, the store's revision.
  var figures: (streams: Int, resources: Int, revision: UInt64) { (streams.count, index.count, index.revision) }
}
