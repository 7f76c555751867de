/// Which hostnames a table looks up, which specs each has, and where a request goes when none of them matches.
struct RouteHostPlan {
  struct Host {
    let pattern: HostPattern
    /// Indices of the specs for exactly this hostname that requests can reach.
    var specs: [Int] = []
    /// The next less specific host of the same listener; -1: none.
    var next = -1
  }

  private(set) var hosts: [Host] = []
  private var index: [HostPattern: Int] = [:]
  /// Hostnames of the port's listeners.
  let listeners: Set<HostPattern>

  init(_ specs: [RouteMatchSpec], listenerHostnames: [String]) throws(RouteTableError) {
    let listenerOf = try RouteHostPlan.listeners(of: specs)
    var listeners = Set(listenerOf)
    for name in listenerHostnames {
      guard let pattern = HostPattern(name) else {
        throw RouteTableError(
          RouteOrder(name: "listener", rule: 0, match: 0), .hostname, "\"\(name)\" is no hostname, wildcard or *")
      }
      listeners.insert(pattern)
    }
    self.listeners = listeners
    for pattern in listeners.sorted(by: { $0.text < $1.text }) { _ = host(pattern) }
    for (i, spec) in specs.enumerated() {
      for pattern in try RouteHostPlan.hostnames(of: spec, listener: listenerOf[i]) {
        let h = host(pattern)
        // Another listener with a more specific hostname takes all requests for this one (Listener Isolation).
        if listener(of: pattern) == listenerOf[i] { hosts[h].specs.append(i) }
      }
    }
    for h in hosts.indices { hosts[h].next = next(hosts[h].pattern) }
  }

  /// The listener that takes requests for `pattern`: the one with the most specific hostname that covers it.
  func listener(of pattern: HostPattern) -> HostPattern? {
    if listeners.contains(pattern) { return pattern }
    return pattern.generalisations.first { listeners.contains($0) }
  }

  private mutating func host(_ pattern: HostPattern) -> Int {
    if let known = index[pattern] { return known }
    hosts.append(Host(pattern: pattern))
    index[pattern] = hosts.count - 1
    return hosts.count - 1
  }

  private func next(_ pattern: HostPattern) -> Int {
    for wider in pattern.generalisations {
      guard let h = index[wider], !hosts[h].specs.isEmpty else { continue }
      return listener(of: wider) == listener(of: pattern) ? h : -1
    }
    return -1
  }

  private static func listeners(of specs: [RouteMatchSpec]) throws(RouteTableError) -> [HostPattern] {
    var listeners: [HostPattern] = []
    for spec in specs {
      guard let pattern = HostPattern(spec.listenerHostname) else {
        throw RouteTableError(spec.order, .hostname, "\"\(spec.listenerHostname)\" is no hostname, wildcard or *")
      }
      listeners.append(pattern)
    }
    return listeners
  }

  private static func hostnames(
    of spec: RouteMatchSpec, listener: HostPattern
  ) throws(RouteTableError) -> [HostPattern] {
    var patterns: [HostPattern] = []
    for name in spec.hostnames {
      guard let pattern = HostPattern(name) else {
        throw RouteTableError(spec.order, .hostname, "\"\(name)\" is no hostname, wildcard or *")
      }
      if !listener.covers(pattern) {
        throw RouteTableError(spec.order, .hostname, "\"\(name)\" lies outside the listener's \(listener.text)")
      }
      if !patterns.contains(pattern) { patterns.append(pattern) }
    }
    return patterns
  }
}
