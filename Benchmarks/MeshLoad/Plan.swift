/// What one proxy subscribes to: the same that a sidecar comes to, for its own service, for those that it calls, and for
/// one that everybody calls.
struct Plan: Sendable {
  struct Subscription: Sendable {
    let type: String
    let names: [String]
  }

  let service: String
  let subscriptions: [Subscription]
  /// NAMESPACE/NAME.
  let callees: [String]

  init(number: Int, services: Int, calls: Int) {
    let own = number % services
    service = "svc-\(own)"
    var numbers = [own]
    // Odd strides, so that each service is called by about as many.
    for call in 0..<calls { numbers.append((own + 1 + call * 37 + number / services) % services) }
    if !numbers.contains(0) { numbers.append(0) }
    let names = Set(numbers).sorted().map { "default/svc-\($0)" }
    callees = names
    let about = names.map { "@Service/\($0)" }
    let gateway = "gateway.networking.k8s.io/v1"
    var all = [
      Subscription(type: "v1/Service", names: names), Subscription(type: "weft.dev/v1/Service", names: names),
      Subscription(type: "v1/Namespace", names: ["default"]),
      Subscription(type: "\(gateway)/ReferenceGrant", names: ["@default"]),
      Subscription(type: "weft.dev/v1/Proxy", names: ["default/svc-\(own)", "weft-system/default"]),
      Subscription(type: "weft.dev/v1/Filter", names: ["default/tag"]),
      Subscription(type: "weft.dev/v1/FilterBundle", names: ["default/tag"]),
    ]
    for kind in ["HTTPRoute", "GRPCRoute", "BackendTLSPolicy"] {
      all.append(Subscription(type: "\(gateway)/\(kind)", names: about))
    }
    for type in [
      "weft.dev/v1/Workload", "discovery.k8s.io/v1/EndpointSlice", "weft.dev/v1/BackendTrafficPolicy",
    ] {
      all.append(Subscription(type: type, names: about))
    }
    for kind in ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"] {
      for group in ["security.istio.io", "weft.dev"] {
        all.append(Subscription(type: "\(group)/v1/\(kind)", names: ["@default", "@weft-system"]))
      }
    }
    subscriptions = all
  }
}
