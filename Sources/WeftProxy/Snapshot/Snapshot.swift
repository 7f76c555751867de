import WeftConfig
import WeftFilter
import WeftIO
import WeftTLS

/// One immutable, compiled configuration, shared by all workers.
final class Snapshot: Sendable {
  /// Counts up with every configuration applied.
  let version: UInt64
  let listeners: [ListenerSpec]
  /// Services to which routes are attached.
  let mesh: [MeshSpec]
  let rules: [RuleSpec]
  let services: [ServiceSpec]
  let filters: [FilterSpec]
  let settings: ProxySettings
  /// nil: no AuthorizationPolicy.
  let authorization: AuthorizationTable?
  /// nil: services that the configuration does not know do not exist.
  let onDemand: MeshOnDemand?

  init(
    version: UInt64, listeners: [ListenerSpec], mesh: [MeshSpec], rules: [RuleSpec], services: [ServiceSpec],
    filters: [FilterSpec], settings: ProxySettings, authorization: AuthorizationTable? = nil,
    onDemand: MeshOnDemand? = nil
  ) {
    self.onDemand = onDemand
    self.version = version
    self.listeners = listeners
    self.mesh = mesh
    self.rules = rules
    self.services = services
    self.filters = filters
    self.settings = settings
    self.authorization = authorization
  }
}

/// Services come when a request asks for them.
struct MeshOnDemand: Sendable {
  /// Hosts that no service has.
  let absent: Set<String>
}

/// An address to listen on, with the routes of all Gateway listeners that share it.
final class ListenerSpec: Sendable {
  /// `namespace/gateway/listener`, the first one's where several share the address.
  let name: OwnedBytes
  let address: SocketAddress
  let routes: RouteTable
  /// Certificates by server name; nil: connections are plain.
  let tls: TLSServerNames?
  /// nil: connections carry HTTP.
  let connections: ConnectionTable?
  /// Takes requests of the workload beside the proxy for services of the mesh; the namespace of that workload.
  let meshNamespace: String?
  /// Connections may have been redirected to it, and go to the service that they were meant for.
  let takesRedirected: Bool
  /// The Gateways of its listeners, with their hostnames.
  let owners: [(hostname: String, gateway: ResourceName)]
  /// Takes plain connections as well as TLS, told apart by their first byte.
  let acceptsPlain: Bool
  /// nil: connections begin with their own first byte.
  let proxyProtocol: ProxyProtocolSpec?
  /// Where the first listener stands in the configuration.
  let origin: Origin

  init(
    name: String, address: SocketAddress, routes: RouteTable, tls: TLSServerNames? = nil,
    connections: ConnectionTable? = nil, meshNamespace: String? = nil, takesRedirected: Bool = false,
    owners: [(hostname: String, gateway: ResourceName)] = [], acceptsPlain: Bool = false,
    proxyProtocol: ProxyProtocolSpec? = nil, origin: Origin
  ) {
    self.meshNamespace = meshNamespace
    self.takesRedirected = takesRedirected
    self.name = OwnedBytes(name)
    self.address = address
    self.routes = routes
    self.tls = tls
    self.connections = connections
    self.owners = owners
    self.acceptsPlain = acceptsPlain
    self.proxyProtocol = proxyProtocol
    self.origin = origin
  }
}

/// A route rule as compiled.
final class RuleSpec: Sendable {
  struct Backend: Sendable {
    let weight: UInt32
    /// Index in `Snapshot.services`; -1: unresolved.
    let service: Int
    /// Indices in `Snapshot.filters`: the rule's, then the backend's own.
    let filters: [Int]
  }

  /// `namespace/route#rule`.
  let name: OwnedBytes
  let backends: [Backend]
  let requestTimeout: UInt32
  let backendTimeout: UInt32
  let session: SessionSpec?
  let metadata: RouteMetadata?

  init(
    name: String, backends: [Backend], requestTimeout: UInt32, backendTimeout: UInt32, session: SessionSpec? = nil,
    metadata: RouteMetadata? = nil
  ) {
    self.session = session
    self.name = OwnedBytes(name)
    self.backends = backends
    self.requestTimeout = requestTimeout
    self.backendTimeout = backendTimeout
    self.metadata = metadata
  }
}

/// What tells whether a filter of one snapshot is the same as one of the next, so that its instances (token buckets,
/// Lua states) are carried over.
struct FilterKey: Hashable, Sendable {
  /// `namespace/name`, or the place in the route for a filter that has no name.
  let name: String
  let type: String
  /// The configuration's content and that of files that it names.
  let fingerprint: String
}

/// A filter with its configuration decoded.
final class FilterSpec: Sendable {
  let key: FilterKey
  let type: any FilterType

  init(key: FilterKey, type: any FilterType) {
    self.key = key
    self.type = type
  }
}
