/// What the control plane knows of one proxy.
public struct ProxyStatus: Sendable, Codable, Hashable {
  public enum Kind: String, Sendable, Codable { case gateway, sidecar }

  public enum Sync: String, Sendable, Codable {
    /// Has everything that it subscribes to, as it is at present.
    case synced
    /// Changes are on their way to it.
    case syncing
    /// Has refused something and goes on with what it had.
    case stale
    case disconnected
  }

  /// KIND/NAMESPACE/NAME/INSTANCE.
  public var id: String
  public var kind: Kind
  public var namespace: String
  public var name: String
  public var instance: String
  public var version: String
  public var zone: String
  public var labels: [String: String]
  /// Seconds since the Unix epoch; nil: not connected.
  public var connectedSince: Double?
  /// Seconds since the Unix epoch.
  public var lastSeen: Double
  /// Which replica of the control plane it is, or was, connected to.
  public var replica: String
  public var sync: Sync
  /// The store's revision that is in force at the proxy.
  public var revision: UInt64
  public var latestRevision: UInt64
  /// Seconds since the Unix epoch at which its certificate ends; nil: not known.
  public var certificateNotAfter: Double?
  public var rejections: [ResourceRejection]
  public var bundles: [BundleStatus]

  public init(
    id: String, kind: Kind, namespace: String, name: String, instance: String, version: String, zone: String,
    labels: [String: String], connectedSince: Double?, lastSeen: Double, replica: String, sync: Sync, revision: UInt64,
    latestRevision: UInt64, certificateNotAfter: Double?, rejections: [ResourceRejection], bundles: [BundleStatus]
  ) {
    self.id = id
    self.kind = kind
    self.namespace = namespace
    self.name = name
    self.instance = instance
    self.version = version
    self.zone = zone
    self.labels = labels
    self.connectedSince = connectedSince
    self.lastSeen = lastSeen
    self.replica = replica
    self.sync = sync
    self.revision = revision
    self.latestRevision = latestRevision
    self.certificateNotAfter = certificateNotAfter
    self.rejections = rejections
    self.bundles = bundles
  }
}

/// A resource that a proxy could not use.
public struct ResourceRejection: Sendable, Codable, Hashable {
  /// GROUP/VERSION/KIND.
  public var type: String
  /// NAMESPACE/NAME.
  public var name: String
  public var version: String
  /// As `weft check` says it, each a line.
  public var message: String
  /// Seconds since the Unix epoch.
  public var since: Double
  public var proxy: String

  public init(type: String, name: String, version: String, message: String, since: Double, proxy: String) {
    self.type = type
    self.name = name
    self.version = version
    self.message = message
    self.since = since
    self.proxy = proxy
  }
}

/// What became of a bundle at a proxy.
public struct BundleStatus: Sendable, Codable, Hashable {
  public enum State: String, Sendable, Codable { case ready, rejected }

  public var name: String
  /// sha256:HEX
  public var digest: String
  public var state: State
  /// Why it was rejected.
  public var error: String

  public init(name: String, digest: String, state: State, error: String = "") {
    self.name = name
    self.digest = digest
    self.state = state
    self.error = error
  }
}

/// Something that happened in the mesh, for people to read.
public struct MeshEvent: Sendable, Codable, Hashable {
  public enum Severity: String, Sendable, Codable { case normal, warning }

  /// Grows by one with each event of a replica.
  public var number: UInt64
  /// Seconds since the Unix epoch.
  public var time: Double
  public var severity: Severity
  /// One word: `Connected`, `Rejected`, `CertificateIssued`.
  public var reason: String
  /// What it is about: a proxy's id, or KIND.GROUP NAMESPACE/NAME.
  public var subject: String
  public var message: String

  public init(number: UInt64, time: Double, severity: Severity, reason: String, subject: String, message: String) {
    self.number = number
    self.time = time
    self.severity = severity
    self.reason = reason
    self.subject = subject
    self.message = message
  }
}

/// What the API asks of whoever serves the proxies.
public protocol MeshStatus: Sendable {
  /// All proxies that are connected, or were not long ago, by id.
  func proxies() async -> [ProxyStatus]
  func proxy(_ id: String) async -> ProxyStatus?
  /// Who refuses a resource, and why.
  func rejections(type: String, name: String) async -> [ResourceRejection]
  /// Events after the one with this number that are still kept, oldest first.
  func events(after number: UInt64) async -> [MeshEvent]
}
