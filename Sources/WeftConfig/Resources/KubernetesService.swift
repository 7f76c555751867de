/// Core Kubernetes' `v1 Service`. Its endpoints are those of the EndpointSlices that carry its name.
public struct KubernetesService: Resource {
  public static let kind = ResourceKind(group: "", kind: "Service")
  public static let versions = ["v1"]

  public enum ServiceType: String, Sendable, Hashable, CaseIterable {
    case clusterIP = "ClusterIP"
    case nodePort = "NodePort"
    case loadBalancer = "LoadBalancer"
    case externalName = "ExternalName"
  }

  public enum TargetPort: Sendable, Hashable {
    case number(Int)
    /// The name of a port of the endpoints.
    case name(String)
  }

  public struct Port: Sendable, Hashable {
    /// Empty when the service has one unnamed port; EndpointSlices name their ports alike.
    public let name: String
    public let port: Int
    public let targetPort: TargetPort
    /// Such as `http`, `https`, `kubernetes.io/h2c`.
    public let appProtocol: String?
    /// Ports of other protocols than TCP carry no HTTP.
    public let isTCP: Bool
    public let origin: Origin

    /// Whether `appProtocol` says that the endpoints speak HTTP/2 without being asked.
    public var speaksHTTP2: Bool { appProtocol == "kubernetes.io/h2c" || appProtocol == "grpc" }
    /// It says nothing that would speak against HTTP/2 where the endpoint chooses it in the TLS handshake.
    public var isNegotiable: Bool { appProtocol == nil || appProtocol == "https" }
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let type: ServiceType
  public let ports: [Port]
  /// `None` for a headless service; nil when not given.
  public let clusterIP: String?
  /// All addresses of the cluster that stand for the service, of IPv4 and IPv6.
  public let clusterAddresses: [String]
  public let selector: [String: String]
  /// The DNS name behind a service of type ExternalName.
  public let externalName: String?

  public var isHeadless: Bool { clusterIP == "None" }

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    type = spec.enumeration("type", default: .clusterIP)
    ports = spec.objects("ports", count: 0...Bounds.conditions.upperBound, KubernetesService.port)
    clusterIP = spec.optionalString("clusterIP")
    let addresses = spec.strings("clusterIPs", count: 0...2, .length(0...45))
    clusterAddresses = (addresses.isEmpty ? clusterIP.map { [$0] } ?? [] : addresses).filter(AddressSyntax.isIP)
    selector = spec.stringMap("selector")
    externalName = spec.optionalString("externalName", .hostname)
    spec.ignore(
      "externalIPs", "sessionAffinity", "sessionAffinityConfig", "loadBalancerIP",
      "loadBalancerSourceRanges", "loadBalancerClass", "externalTrafficPolicy", "internalTrafficPolicy",
      "trafficDistribution", "healthCheckNodePort", "publishNotReadyAddresses", "ipFamilies", "ipFamilyPolicy",
      "allocateLoadBalancerNodePorts")
    if type == .externalName, !spec.has("externalName") {
      spec.error("externalName", "is missing; type ExternalName needs it")
    }
    KubernetesService.checkDistinct(ports, spec)
  }

  private static func port(_ reader: ObjectReader) -> Port {
    let number = reader.int("port", in: Bounds.port)
    let target = reader.optional("targetPort") { node -> TargetPort in
      if node.kind == .integer { return .number(try node.int(in: Bounds.port)) }
      return .name(try node.string(.portName))
    }
    let transport = reader.string("protocol", .transport, default: "TCP")
    reader.ignore("nodePort")
    return Port(
      name: reader.string("name", .dnsLabel, default: ""), port: number, targetPort: target ?? .number(number),
      appProtocol: reader.optionalString("appProtocol", .length(1...316)), isTCP: transport == "TCP",
      origin: Origin(reader.node))
  }

  private static func checkDistinct(_ ports: [Port], _ spec: ObjectReader) {
    var names: Set<String> = []
    var numbers: Set<Int> = []
    for port in ports {
      if ports.count > 1, port.name.isEmpty {
        spec.report(port.origin.error("needs a name, because the service has several ports"))
      } else if !names.insert(port.name).inserted {
        spec.report(port.origin.error("another port of this service is named \"\(port.name)\" as well"))
      }
      if port.isTCP, !numbers.insert(port.port).inserted {
        spec.report(port.origin.error("port \(port.port) is listed twice; keep one"))
      }
    }
  }
}

extension StringRule {
  /// An IANA service name, as Kubernetes names container ports.
  static let portName = StringRule(
    "a port's name has up to 15 lower-case letters, digits and \"-\", at least one of them a letter",
    { $0.utf8.count <= 15 && DNSName.isLabel($0) && $0.utf8.contains { $0 &- UInt8(ascii: "a") < 26 } })

  static let transport = StringRule("use TCP, UDP or SCTP", { ["TCP", "UDP", "SCTP"].contains($0) })
}
