import WeftBundle
import WeftConfig
import WeftIO

/// What runs, as JSON for the admin endpoint.
struct ConfigDump {
  private let supervisor: Supervisor

  init(_ supervisor: Supervisor) { self.supervisor = supervisor }

  private func text(_ s: String) -> String { JSONText.quote(s) }
  private func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }

  var json: String {
    guard let s = supervisor.snapshot else { return "{}" }
    let reload = supervisor.lastReload
    let listeners = s.listeners.map {
      "{\"name\":\(text($0.name.bytes.string)),\"address\":\(text($0.address.description))}"
    }
    let rules = s.rules.map { rule in
      let backends = rule.backends.map { b in
        let service = b.service < 0 ? "null" : text(s.services[b.service].name)
        let filters = list(b.filters.map { text(s.filters[$0].key.name) })
        return "{\"weight\":\(b.weight),\"service\":\(service),\"filters\":\(filters)}"
      }
      return "{\"name\":\(text(rule.name.bytes.string)),\"backends\":\(list(backends)),"
        + "\"requestTimeoutMs\":\(rule.requestTimeout),\"backendTimeoutMs\":\(rule.backendTimeout)}"
    }
    let workers = supervisor.workers.map {
      "{\"worker\":\($0.control.index),\"version\":\($0.control.appliedVersion),\"stalled\":\($0.isStalled)}"
    }
    let keySets = (supervisor.keySets?.all ?? []).map { entry in
      "{\"uri\":\(text(entry.set.location.uri)),\"keys\":\(entry.keyCount),"
        + "\"fetchedAt\":\(entry.fetchedAt.map(String.init) ?? "null"),"
        + "\"problem\":\(entry.problem.map(text) ?? "null")}"
    }
    let mesh = s.mesh.map { "{\"service\":\(text("\($0.service)")),\"port\":\($0.port.map(String.init) ?? "null")}" }
    return "{\"version\":\(s.version),\"lastReload\":{\"succeeded\":\(reload.succeeded),\"at\":\(reload.at),"
      + "\"errors\":\(list(reload.errors.map(text)))},"
      + "\"files\":\(list((supervisor.loaded?.files ?? []).map(text))),"
      + "\"uptimeMs\":\(supervisor.uptime),\"workers\":\(list(workers)),\"listeners\":\(list(listeners)),"
      + "\"mesh\":\(list(mesh)),\"rules\":\(list(rules)),\"conditions\":\(list(conditions)),"
      + "\"keySets\":\(list(keySets)),"
      + "\"warnings\":\(list(reload.warnings.map(text)))}"
  }

  /// What the specification of the Gateway API calls conditions.
  private var conditions: [String] {
    (supervisor.loaded?.resources.conditions ?? []).map {
      "{\"resource\":\(text("\($0.resource)")),\"about\":\(text($0.about)),\"type\":\(text($0.type.rawValue)),"
        + "\"status\":\($0.status),\"reason\":\(text($0.reason)),\"message\":\(text($0.message))}"
    }
  }

  var clusters: String {
    let services = supervisor.services.map { s in
      let endpoints = s.addresses.enumerated().map { i, a in
        "{\"address\":\(text(a.address.description)),\"weight\":\(a.weight)\(health(s, i))}"
      }
      return "{\"name\":\(text(s.name)),\"loadBalancer\":\(text(s.loadBalancing.rawValue)),"
        + "\"maxConnections\":\(s.limits.maxConnections),\"endpoints\":\(list(endpoints))}"
    }
    return "{\"services\":\(list(services))}"
  }

  /// What is known of an endpoint's health, if anything is looked at.
  private func health(_ service: ServiceSpec, _ index: Int) -> String {
    guard let health = service.health, index < health.endpoints.count else { return "" }
    let endpoint = health.endpoints[index]
    let state = endpoint.hasFailedCheck ? "unhealthy" : endpoint.isEjected ? "ejected" : "healthy"
    var members = ",\"health\":\(text(state))"
    if health.check != nil {
      let last = supervisor.health.target(endpoint)?.last
      members += ",\"lastCheck\":\(last.map { text("\($0)") } ?? "null")"
    }
    if health.outlier != nil {
      let now = MonotonicTime.milliseconds()
      let left = endpoint.isEjected && endpoint.ejectedUntil > now ? endpoint.ejectedUntil - now : 0
      members += ",\"ejections\":\(endpoint.ejectionCount),\"ejectedForMs\":\(left)"
    }
    return members
  }

  var filters: String {
    let filters = (supervisor.snapshot?.filters ?? []).map {
      let bundle = $0.type.bundle.map { ",\"bundle\":{\(members($0))}" } ?? ""
      return "{\"name\":\(text($0.key.name)),\"type\":\(text($0.key.type))\(bundle)}"
    }
    return "{\"filters\":\(list(filters)),\"types\":\(list(supervisor.registry.names.map(text)))}"
  }

  /// Each bundle once, with the filters that run it.
  var bundles: String {
    var order: [BundleSummary] = []
    var users: [BundleSummary: [String]] = [:]
    for filter in supervisor.snapshot?.filters ?? [] {
      guard let bundle = filter.type.bundle else { continue }
      if users[bundle] == nil { order.append(bundle) }
      users[bundle, default: []].append(text(filter.key.name))
    }
    return "{\"bundles\":\(list(order.map { "{\(members($0)),\"filters\":\(list(users[$0] ?? []))}" }))}"
  }

  private func members(_ bundle: BundleSummary) -> String {
    let signers = bundle.signers.map { "{\"name\":\(text($0.name)),\"key\":\(text($0.key.description))}" }
    let namespace = bundle.namespace.map { "\"namespace\":\(text($0))," } ?? ""
    return namespace
      + "\"name\":\(text(bundle.name)),\"version\":\(text(bundle.version)),\"digest\":\(text(bundle.digest)),"
      + "\"place\":\(text(bundle.place)),\"signedBy\":\(list(signers))"
  }
}
