import WeftConfig

/// What a proxy needs to know, by what it knows already: follows references from the gateway or service that it is for.
/// Each delta may make it larger; it is complete once everything in it has been answered.
struct Closure {
  private let held: HeldResources
  private(set) var interests: Set<Interest> = []
  private var services: Set<String> = []
  private var frontends: Set<String> = []
  private var namespaces: Set<String> = []

  private let bundleServices: [String: [String]]

  /// - Parameters:
  ///   - demanded: services, NAMESPACE/NAME, that requests have asked for.
  ///   - bundleServices: services that the scripts of each FilterBundle may call.
  init(
    _ options: MeshOptions, held: HeldResources, demanded: [String], bundleServices: [String: [String]] = [:]
  ) {
    self.held = held
    self.bundleServices = bundleServices
    let own = "\(options.namespace)/\(options.name)"
    for namespace in [options.namespace, PolicyScope.rootNamespace] {
      for policy in ResourceType.policies { want(policy, "@\(namespace)") }
    }
    want(ResourceType.proxy, own)
    want(ResourceType.proxy, "\(PolicyScope.rootNamespace)/default")
    switch options.kind {
    case .gateway:
      want(ResourceType.gateway, own)
      for type in ResourceType.routes { want(type, "@Gateway/\(own)") }
      if let gateway = held[ResourceType.gateway, own] { follow(gateway: gateway) }
      for type in ResourceType.routes {
        for route in held.all(type) where route.isAbout("@Gateway/\(own)") { follow(route: route) }
      }
    case .sidecar:
      frontend(own)
      for service in demanded { frontend(service) }
    }
    for namespace in namespaces { want(ResourceType.referenceGrant, "@\(namespace)") }
  }

  /// The settings for the proxy: its own, or those of all.
  static func proxy(_ options: MeshOptions, _ held: HeldResources) -> HeldResource? {
    held[ResourceType.proxy, "\(options.namespace)/\(options.name)"]
      ?? held[ResourceType.proxy, "\(PolicyScope.rootNamespace)/default"]
  }

  private mutating func want(_ type: String, _ name: String) { interests.insert(Interest(type: type, name: name)) }

  /// A service with the routes that are attached to it.
  private mutating func frontend(_ name: String) {
    guard frontends.insert(name).inserted else { return }
    service(name)
    for (type, prefix) in [(ResourceType.service, "@Service/"), (ResourceType.weftService, "@WeftService/")]
    where held[type, name] != nil {
      for route in [ResourceType.httpRoute, ResourceType.grpcRoute] {
        want(route, prefix + name)
        for found in held.all(route) where found.isAbout(prefix + name) { follow(route: found) }
      }
    }
  }

  /// A service with its endpoints and policies.
  private mutating func service(_ name: String) {
    guard services.insert(name).inserted else { return }
    want(ResourceType.service, name)
    want(ResourceType.weftService, name)
    if held[ResourceType.service, name] != nil {
      about("@Service/\(name)", [ResourceType.workload, ResourceType.endpointSlice])
    }
    if held[ResourceType.weftService, name] != nil { about("@WeftService/\(name)", [ResourceType.workload]) }
  }

  private mutating func about(_ subscription: String, _ types: [String]) {
    for type in types + [ResourceType.backendTLSPolicy, ResourceType.backendTrafficPolicy] { want(type, subscription) }
    for policy in held.all(ResourceType.backendTLSPolicy) where policy.isAbout(subscription) {
      for reference in policy.content[path: "spec", "validation", "caCertificateRefs"]?.array ?? [] {
        object(reference, in: policy.namespace)
      }
    }
  }

  // MARK: References

  private mutating func follow(gateway: HeldResource) {
    let spec = gateway.content["spec"]
    for listener in spec?["listeners"]?.array ?? [] {
      for reference in listener[path: "tls", "certificateRefs"]?.array ?? [] {
        object(reference, in: gateway.namespace, defaultKind: "Secret")
      }
    }
    let tls = spec?["tls"]
    var validations = [tls?[path: "frontend", "default", "validation"]]
    for port in tls?[path: "frontend", "perPort"]?.array ?? [] { validations.append(port[path: "tls", "validation"]) }
    for validation in validations {
      for reference in validation?["caCertificateRefs"]?.array ?? [] { object(reference, in: gateway.namespace) }
    }
    if let reference = tls?[path: "backend", "clientCertificateRef"] {
      object(reference, in: gateway.namespace, defaultKind: "Secret")
    }
  }

  private mutating func follow(route: HeldResource) {
    want(ResourceType.namespace, route.namespace)
    for rule in route.content[path: "spec", "rules"]?.array ?? [] {
      follow(filters: rule["filters"], of: route)
      for backend in rule["backendRefs"]?.array ?? [] {
        self.backend(backend, of: route)
        follow(filters: backend["filters"], of: route)
      }
    }
  }

  private mutating func follow(filters: JSONValue?, of route: HeldResource) {
    for filter in filters?.array ?? [] {
      if let mirror = filter[path: "requestMirror", "backendRef"] { backend(mirror, of: route) }
      if let reference = filter["extensionRef"], reference["kind"]?.string == "Filter",
        let name = reference["name"]?.string
      {
        self.filter("\(route.namespace)/\(name)")
      }
    }
  }

  private mutating func backend(_ reference: JSONValue, of route: HeldResource) {
    guard let name = reference["name"]?.string, (reference["kind"]?.string ?? "Service") == "Service" else { return }
    let namespace = reference["namespace"]?.string ?? route.namespace
    if namespace != route.namespace { namespaces.insert(namespace) }
    service("\(namespace)/\(name)")
  }

  private mutating func filter(_ name: String) {
    want(ResourceType.filter, name)
    guard let filter = held[ResourceType.filter, name], let config = filter.content[path: "spec", "config"] else {
      return
    }
    var callable = (config["services"]?.array ?? []).compactMap { $0.string ?? $0["name"]?.string }
    if let bundle = config["bundle"]?.string, !bundle.contains("/") {
      let name = "\(filter.namespace)/\(bundle)"
      want(ResourceType.filterBundle, name)
      callable += bundleServices[name] ?? []
    }
    // "NAME" or "NAMESPACE/NAME", with or without ":PORT".
    for text in callable {
      let plain = String(text.prefix { $0 != ":" })
      service(plain.contains("/") ? plain : "\(filter.namespace)/\(plain)")
    }
  }

  /// A Secret or ConfigMap.
  private mutating func object(_ reference: JSONValue, in namespace: String, defaultKind: String? = nil) {
    guard let name = reference["name"]?.string else { return }
    let other = reference["namespace"]?.string ?? namespace
    if other != namespace { namespaces.insert(other) }
    switch reference["kind"]?.string ?? defaultKind {
    case "Secret": want(ResourceType.secret, "\(other)/\(name)")
    case "ConfigMap": want(ResourceType.configMap, "\(other)/\(name)")
    default: break
    }
  }
}
