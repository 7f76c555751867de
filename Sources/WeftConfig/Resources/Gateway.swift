/// `gateway.networking.k8s.io/v1 Gateway`: the addresses and ports on which traffic comes in.
public struct Gateway: Resource {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "Gateway")
  public static let versions = ["v1", "v1beta1"]

  /// An address that every listener of the Gateway binds.
  public struct Address: Sendable, Hashable {
    /// `IPAddress`, `Hostname`, or an implementation's own type; Weft's own is `unixSocket`.
    public let type: String
    /// Empty: left to the implementation.
    public let value: String
    public let origin: Origin

    /// A Unix socket, by its path.
    public static let unixSocket = "weft.dev/UnixSocket"
  }

  /// What a Gateway is for in the mesh.
  public enum MeshRole: String, Sendable, Hashable, CaseIterable {
    /// Its HTTP listeners take requests of the workload beside the proxy for every Service, by host.
    case outbound
    /// Its listeners take requests for the workload beside the proxy.
    case inbound
  }

  /// The annotation that gives a Gateway a role in the mesh.
  public static let meshAnnotation = "weft.dev/mesh"

  /// The annotation, `true`, of an outbound Gateway to which the kernel redirects connections that were meant for others.
  public static let redirectedAnnotation = "weft.dev/redirected"

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// nil: traffic from outside comes in here.
  public let meshRole: MeshRole?
  /// Connections to its outbound listeners may have been meant for another address, which says where they go.
  public let takesRedirected: Bool
  /// Accepted and not looked at: every Gateway that Weft is given is its own.
  public let className: String?
  public let listeners: [Listener]
  /// None: every address of the machine.
  public let addresses: [Address]
  public let tls: GatewayTLS?
  /// By the listener's name: connections to it begin with what a proxy in front says of them.
  public let proxyProtocol: [String: ListenerProxyProtocol]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let role = metadata.annotations[Gateway.meshAnnotation]
    meshRole = role.flatMap(MeshRole.init)
    if let role, meshRole == nil {
      reader.error("metadata", "annotation \(Gateway.meshAnnotation) is \"outbound\" or \"inbound\", not \"\(role)\"")
    }
    let redirected = metadata.annotations[Gateway.redirectedAnnotation]
    takesRedirected = redirected == "true"
    if let redirected, !["true", "false"].contains(redirected) || takesRedirected && meshRole != .outbound {
      reader.error(
        "metadata",
        "annotation \(Gateway.redirectedAnnotation) is \"true\" or \"false\", and for a Gateway with \(Gateway.meshAnnotation): outbound"
      )
    }
    let spec = reader.object("spec")
    className = spec.optionalString("gatewayClassName", .length(1...253))
    listeners = spec.objects("listeners", count: Bounds.listeners) { Listener($0, namespace: metadata.namespace) }
    addresses = spec.objects("addresses", count: Bounds.addresses, Gateway.address)
    tls = spec.optionalObject("tls") { GatewayTLS($0, namespace: metadata.namespace) }
    proxyProtocol = ListenerProxyProtocol.read(metadata, reader, listeners: listeners.map(\.name))
    Gateway.acceptInfrastructure(spec)
    Gateway.checkDistinct(listeners, reader)
  }

  private static func address(_ reader: ObjectReader) -> Address {
    let address = Address(
      type: reader.string("type", .length(1...253), default: "IPAddress"),
      value: reader.string("value", .length(0...253), default: ""), origin: Origin(reader.node))
    if address.type == "IPAddress", !address.value.isEmpty, !AddressSyntax.isIP(address.value) {
      reader.error("value", "\"\(address.value)\" is no IP address; write one such as 127.0.0.1 or ::1")
    }
    if address.type == Address.unixSocket, let problem = StringRule.unixSocketPath.problem(address.value) {
      reader.error("value", problem)
    }
    if address.type == "Hostname", !address.value.isEmpty, let problem = StringRule.hostname.problem(address.value) {
      reader.error("value", problem)
    }
    return address
  }

  /// What concerns a cluster's own machinery: read so that mistakes are noticed, and without effect.
  private static func acceptInfrastructure(_ spec: ObjectReader) {
    spec.optionalObject("infrastructure") { reader in
      _ = reader.stringMap("labels")
      _ = reader.stringMap("annotations")
      reader.optionalObject("parametersRef") { _ = LocalReference($0) }
    }
    spec.ignore("allowedListeners", "defaultScope")
  }

  /// Listeners differ in name, and in port, protocol and host name taken together.
  private static func checkDistinct(_ listeners: [Listener], _ reader: ObjectReader) {
    struct Flow: Hashable {
      let port: Int
      let `protocol`: Listener.TrafficProtocol
      let hostname: String?
    }
    var names: Set<String> = []
    var flows: [Flow: String] = [:]
    for listener in listeners {
      if !names.insert(listener.name).inserted {
        reader.report(listener.origin.error("another listener of this Gateway is named \"\(listener.name)\" as well"))
      }
      let flow = Flow(port: listener.port, protocol: listener.protocol, hostname: listener.hostname)
      if let other = flows.updateValue(listener.name, forKey: flow) {
        reader.report(
          listener.origin.error(
            "has the same port, protocol and hostname as listener \"\(other)\"; change one of them"))
      }
    }
  }
}

/// `GatewayClass` has no meaning outside a cluster, and is accepted so that manifests need no pruning.
public struct GatewayClass: Resource {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "GatewayClass")
  public static let versions = ["v1", "v1beta1"]
  public static let isNamespaced = false

  public let metadata: ResourceMetadata
  public let origin: Origin

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    reader.ignore("spec")
  }
}

extension StringRule {
  static let unixSocketPath = StringRule(
    "a Unix socket is an absolute path of up to 107 bytes such as \"/run/weft.sock\", or \"@name\" for an abstract one",
    { text in
      (2...107).contains(text.utf8.count) && (text.hasPrefix("/") || text.hasPrefix("@")) && !text.utf8.contains(0)
    })
}
