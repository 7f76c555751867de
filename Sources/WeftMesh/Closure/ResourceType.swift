/// Types of resources as subscriptions write them: GROUP/VERSION/KIND.
enum ResourceType {
  static let gateway = "gateway.networking.k8s.io/v1/Gateway"
  static let httpRoute = "gateway.networking.k8s.io/v1/HTTPRoute"
  static let grpcRoute = "gateway.networking.k8s.io/v1/GRPCRoute"
  static let tcpRoute = "gateway.networking.k8s.io/v1/TCPRoute"
  static let tlsRoute = "gateway.networking.k8s.io/v1/TLSRoute"
  static let backendTLSPolicy = "gateway.networking.k8s.io/v1/BackendTLSPolicy"
  static let referenceGrant = "gateway.networking.k8s.io/v1/ReferenceGrant"
  static let service = "v1/Service"
  static let secret = "v1/Secret"
  static let configMap = "v1/ConfigMap"
  static let namespace = "v1/Namespace"
  static let endpointSlice = "discovery.k8s.io/v1/EndpointSlice"
  static let weftService = "weft.dev/v1/Service"
  static let workload = "weft.dev/v1/Workload"
  static let filter = "weft.dev/v1/Filter"
  static let filterBundle = "weft.dev/v1/FilterBundle"
  static let proxy = "weft.dev/v1/Proxy"
  static let backendTrafficPolicy = "weft.dev/v1/BackendTrafficPolicy"

  /// Kinds that govern whole namespaces.
  static let policies = [
    "security.istio.io/v1/AuthorizationPolicy", "security.istio.io/v1/PeerAuthentication",
    "security.istio.io/v1/RequestAuthentication", "weft.dev/v1/AuthorizationPolicy", "weft.dev/v1/PeerAuthentication",
    "weft.dev/v1/RequestAuthentication",
  ]

  static let routes = [httpRoute, grpcRoute, tcpRoute, tlsRoute]

  /// Handled by the agent itself rather than given to the proxy.
  static let own: Set<String> = [filterBundle]

  /// `Kind.group`, or `Kind` for core ones.
  static func display(_ type: String) -> String {
    let parts = type.split(separator: "/")
    return parts.count == 3 ? "\(parts[2]).\(parts[0])" : String(parts.last ?? "")
  }
}
