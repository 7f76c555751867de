import WeftConfig

/// What is known of proxies: of those that are connected, and for a while of those that were. And what happened.
struct ProxyRegistry {
  enum Limits {
    static let events = 5_000
    /// Proxies that are remembered after they left.
    static let gone = 10_000
    /// Seconds for which they are.
    static let memory = 3_600.0
  }

  struct Rejected: Hashable {
    let kind: ResourceKind
    let name: String
  }

  struct Record {
    var status: ProxyStatus
    /// nil: not connected.
    var stream: UInt64?
    var rejections: [Rejected: ResourceRejection] = [:]
    var bundles: [String: BundleStatus] = [:]
  }

  private(set) var records: [String: Record] = [:]
  private var ring: [MeshEvent] = []
  private var oldest = 0
  private(set) var lastEvent: UInt64 = 0

  subscript(id: String) -> Record? {
    get { records[id] }
    set { records[id] = newValue }
  }

  mutating func update(_ id: String, _ body: (inout Record) -> Void) {
    // In place: a copy of the record's tables at each acknowledgement would be dear.
    guard let index = records.index(forKey: id) else { return }
    body(&records.values[index])
  }

  mutating func report(
    _ severity: MeshEvent.Severity, _ reason: String, _ subject: String, _ message: String, now: Double
  ) {
    lastEvent += 1
    let event = MeshEvent(
      number: lastEvent, time: now, severity: severity, reason: reason, subject: subject,
      message: String(message.prefix(2_000)))
    if ring.count < Limits.events {
      ring.append(event)
    } else {
      ring[oldest] = event
      oldest = (oldest + 1) % Limits.events
    }
  }

  func events(after number: UInt64) -> [MeshEvent] {
    let ordered = Array(ring[oldest...]) + Array(ring[..<oldest])
    return ordered.filter { $0.number > number }
  }

  /// Forgets proxies that have been away for long, the longest first when there are too many.
  mutating func forget(now: Double) {
    let gone = records.filter { $0.value.stream == nil }
    for (id, record) in gone where record.status.lastSeen < now - Limits.memory { records[id] = nil }
    let left = gone.filter { records[$0.key] != nil }
    guard left.count > Limits.gone else { return }
    let order = left.sorted { $0.value.status.lastSeen < $1.value.status.lastSeen }
    for (id, _) in order.prefix(left.count - Limits.gone) { records[id] = nil }
  }
}
