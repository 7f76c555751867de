import Testing

@testable import WeftConfig

/// Loads `text` and gives each diagnostic on a line of its own.
func diagnostics(_ text: String, file: String = "a.yaml") -> [String] {
  ConfigLoader.load(text: text, file: file).diagnostics.map(\.description)
}

/// The resources of `text`, which must load without any diagnostic.
func resources(_ text: String, file: String = "a.yaml", _ place: Testing.SourceLocation = #_sourceLocation)
  -> ResourceSet
{
  let loaded = ConfigLoader.load(text: text, file: file)
  #expect(loaded.diagnostics.map(\.description) == [], sourceLocation: place)
  return loaded.resources
}

/// What surrounds a route so that nothing about it dangles.
let surroundings = """
  apiVersion: gateway.networking.k8s.io/v1
  kind: Gateway
  metadata: {name: edge}
  spec:
    gatewayClassName: weft
    listeners: [{name: http, port: 80, protocol: HTTP}]
  ---
  apiVersion: weft.dev/v1
  kind: Service
  metadata: {name: web}
  spec: {endpoints: ["127.0.0.1:9001"]}
  ---
  apiVersion: weft.dev/v1
  kind: Filter
  metadata: {name: tag}
  spec: {type: header-modifier}
  """

/// An HTTPRoute with `spec` (indented by two) in file `a.yaml`, its first line being line 5.
func route(_ spec: String) -> String {
  """
  apiVersion: gateway.networking.k8s.io/v1
  kind: HTTPRoute
  metadata: {name: web}
  spec:
  \(spec)
  ---
  \(surroundings)
  """
}

/// A route of one rule (indented by four), whose first line is line 7.
func rule(_ rule: String) -> String {
  route("  parentRefs: [{name: edge}]\n  rules:\n\(rule)")
}
