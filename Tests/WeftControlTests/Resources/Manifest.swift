import WeftConfig
import WeftStore

@testable import WeftControl

/// Resources for tests, from YAML.
enum Manifest {
  static func value(_ yaml: String) throws -> JSONValue { JSONValue(try ConfigNode(yaml: yaml)) }

  static func document(_ yaml: String) throws -> ResourceDocument { try ResourceDocument(try value(yaml)) }

  static func put(_ yaml: String, when precondition: ResourceChange.Precondition = .none) throws -> ResourceChange {
    let document = try document(yaml)
    return ResourceChange(document.key, .put(document), when: precondition)
  }

  static func filter(_ name: String = "tag") -> String {
    """
    apiVersion: weft.dev/v1
    kind: Filter
    metadata: {name: \(name)}
    spec: {type: respond, config: {status: 200}}
    """
  }

  static func route(_ name: String = "shop", filter: String? = nil, path: String = "/", labels: String = "{}") -> String
  {
    let filters =
      filter.map {
        "\n    filters: [{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: \($0)}}]"
      } ?? ""
    return """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: \(name), labels: \(labels)}
      spec:
        parentRefs: [{name: edge}]
        rules:
        - matches: [{path: {type: PathPrefix, value: \(path)}}]\(filters)
      """
  }

  static let gateway = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: edge}
    spec:
      gatewayClassName: weft
      listeners: [{name: http, port: 8080, protocol: HTTP}]
    """
}
