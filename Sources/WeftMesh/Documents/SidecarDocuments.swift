import WeftConfig
import WeftIO

/// What the agent adds to the resources of the control plane: this proxy's identity, and for a sidecar its listeners.
struct SidecarDocuments {
  let options: MeshOptions
  /// How connections that are no mutual TLS are treated on the inbound listener.
  var peerAuthentication = PeerMode.strict

  /// What sources of these documents begin with.
  static let sourcePrefix = "agent:"

  /// Documents with the names that diagnostics give them.
  func documents(identity: MeshIdentity) -> [(source: String, document: ConfigDocuments)] {
    var all = [secret(identity)]
    if let workload = options.workload { all += sidecar(workload) }
    return all.map { value in
      let kind = value["kind"]?.string ?? ""
      let source = "\(Self.sourcePrefix)\(kind) \(value[path: "metadata", "name"]?.string ?? "")"
      return (source, ConfigDocuments(value, source: source))
    }
  }

  // MARK: Identity

  private static let identityName: JSONValue = "workload-identity"
  private static let root = JSONValue.string(PolicyScope.rootNamespace)

  private func secret(_ identity: MeshIdentity) -> JSONValue {
    [
      "apiVersion": "v1", "kind": "Secret", "metadata": ["name": Self.identityName, "namespace": Self.root],
      "type": "kubernetes.io/tls",
      "stringData": [
        "tls.crt": .string(identity.chain), "tls.key": .string(identity.key.pem),
        "ca.crt": .string(identity.roots),
      ],
    ]
  }

  // MARK: Listeners

  private var namespace: JSONValue { .string(options.namespace) }
  private static let inbound: JSONValue = "weft-inbound"
  /// The service that the app is, in its sidecar's own configuration.
  static let appName = "weft-app"
  private static let app = JSONValue.string(appName)

  private func sidecar(_ workload: WorkloadOptions) -> [JSONValue] {
    [grant, appService(workload), inboundGateway(workload), inboundRoute(workload)]
      + workload.outbound.enumerated().map { outboundGateway(workload, $0.element, number: $0.offset + 1) }
  }

  /// Lets the inbound listener use the identity.
  private var grant: JSONValue {
    [
      "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
      "metadata": ["name": Self.identityName, "namespace": Self.root],
      "spec": [
        "from": [["group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace]],
        "to": [["group": "", "kind": "Secret", "name": Self.identityName]],
      ],
    ]
  }

  private func appService(_ workload: WorkloadOptions) -> JSONValue {
    [
      "apiVersion": "weft.dev/v1", "kind": "Service", "metadata": ["name": Self.app, "namespace": namespace],
      "spec": [
        "endpoints": [.string(workload.app.description)],
        "protocol": workload.protocol == .http2 ? "http2" : "http1",
      ],
    ]
  }

  private func address(_ address: SocketAddress) -> JSONValue {
    guard let ip = address.ip, !ip.isUnspecified else { return [] }
    return [["type": "IPAddress", "value": .string(ip.description)]]
  }

  private func inboundGateway(_ workload: WorkloadOptions) -> JSONValue {
    let isHTTP = workload.protocol != .tcp
    var listener: JSONValue = [
      "name": "mesh", "port": .number("\(workload.inbound.port)"),
      "protocol": isHTTP ? "HTTPS" : "TLS",
      "tls": [
        "mode": "Terminate",
        "certificateRefs": [["kind": "Secret", "name": Self.identityName, "namespace": Self.root]],
      ],
    ]
    var tls: JSONValue? = [
      "frontend": [
        "default": [
          "validation": [
            "caCertificateRefs": [
              ["group": "", "kind": "Secret", "name": Self.identityName, "namespace": Self.root]
            ]
          ]
        ]
      ]
    ]
    switch peerAuthentication {
    case .disable:
      listener["tls"] = nil
      listener["protocol"] = isHTTP ? "HTTP" : "TCP"
      tls = nil
    case .permissive where isHTTP:
      if var options = listener["tls"] {
        options["options"] = ["weft.dev/peer-authentication": "permissive"]
        listener["tls"] = options
      }
    case .permissive, .strict, .unset: break
    }
    var spec: JSONValue = [
      "gatewayClassName": "weft", "addresses": address(workload.inbound), "listeners": [listener],
    ]
    spec["tls"] = tls
    return [
      "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
      "metadata": [
        "name": Self.inbound, "namespace": namespace,
        "annotations": ["weft.dev/mesh": "inbound", "weft.dev/mesh-service": .string(options.name)],
      ],
      "spec": spec,
    ]
  }

  private func inboundRoute(_ workload: WorkloadOptions) -> JSONValue {
    [
      "apiVersion": workload.protocol == .tcp ? "gateway.networking.k8s.io/v1alpha2" : "gateway.networking.k8s.io/v1",
      "kind": workload.protocol == .tcp ? "TCPRoute" : "HTTPRoute",
      "metadata": ["name": Self.inbound, "namespace": namespace],
      "spec": [
        "parentRefs": [["name": Self.inbound]],
        "rules": [["backendRefs": [["group": "weft.dev", "kind": "Service", "name": Self.app]]]],
      ],
    ]
  }

  private func outboundGateway(_ workload: WorkloadOptions, _ socket: SocketAddress, number: Int) -> JSONValue {
    var annotations: JSONValue = ["weft.dev/mesh": "outbound"]
    if workload.takesRedirected { annotations[Gateway.redirectedAnnotation] = "true" }
    return [
      "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
      "metadata": [
        "name": .string(number == 1 ? "weft-outbound" : "weft-outbound-\(number)"), "namespace": namespace,
        "annotations": annotations,
      ],
      "spec": [
        "gatewayClassName": "weft", "addresses": address(socket),
        "listeners": [
          ["name": "http", "protocol": "HTTP", "port": .number("\(socket.port)")]
        ],
      ],
    ]
  }

  // MARK: The service's chain

  /// The annotation of a route that is attached to a Service: `inbound` lets the sidecars of that service run it, in
  /// place of its clients'.
  static let sideAnnotation = "weft.dev/mesh-side"

  static func isInbound(_ route: HeldResource) -> Bool {
    route.content[path: "metadata", "annotations", sideAnnotation]?.string == "inbound"
  }

  /// A route of this service that its sidecars run: attached to the inbound listener, with the app in place of the
  /// service itself.
  func inbound(_ route: HeldResource) -> ConfigDocuments {
    var content = route.content
    guard var spec = content["spec"] else { return route.document }
    spec["parentRefs"] = [["name": Self.inbound]]
    spec["rules"] = .array(
      (spec["rules"]?.array ?? []).map { rule in
        var rule = rule
        rule["backendRefs"] = .array(
          (rule["backendRefs"]?.array ?? []).map { backend in
            guard backend["name"]?.string == options.name,
              (backend["namespace"]?.string ?? route.namespace) == options.namespace
            else { return backend }
            var app = backend
            app["group"] = "weft.dev"
            app["kind"] = "Service"
            app["name"] = Self.app
            app["port"] = nil
            return app
          })
        return rule
      })
    content["spec"] = spec
    content["status"] = nil
    return ConfigDocuments(content, source: route.source)
  }
}
