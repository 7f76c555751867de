import Testing
import WeftConfig
import WeftFilter

/// A bench with one filter, decoded from `yaml`.
func bench<F: FilterType>(_ type: F.Type, _ yaml: String) throws -> FilterBench {
  let bench = FilterBench()
  try bench.add(type, yaml)
  return bench
}

/// What is wrong with a configuration: one `path: message` a finding.
func findings<F: FilterType>(_ type: F.Type, _ yaml: String, services: Set<String> = []) -> [String] {
  let bench = FilterBench()
  bench.services = services
  do {
    _ = try bench.decode(type, yaml)
    return []
  } catch let error as ConfigError {
    return error.diagnostics.map { $0.path == .root ? $0.message : "\($0.path): \($0.message)" }
  } catch {
    return ["\(error)"]
  }
}

/// The rule of an HTTPRoute that holds `fields`, in flow style or indented by four.
func routeRule(_ fields: String) throws -> HTTPRoute.Rule {
  let loaded = ConfigLoader.load(
    text: """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: r}
      spec:
        parentRefs: [{name: g}]
        rules:
        - matches: [{path: {type: PathPrefix, value: /a}}]
          \(fields)
      """)
  return try #require(loaded.resources.httpRoutes.all.first?.rules.first, "\(loaded.diagnostics)")
}
