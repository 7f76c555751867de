/// Resources in one line of YAML each.
enum Resources {
  /// - Parameter accessLog: a file to log to, in JSON.
  static func proxy(_ members: String = "", accessLog: String? = nil) -> String {
    var spec = members.isEmpty ? [] : [members]
    if let accessLog { spec.append("accessLog: [{path: \(accessLog), format: json}]") }
    return "{apiVersion: weft.dev/v1, kind: Proxy, metadata: {name: proxy}, spec: {\(spec.joined(separator: ", "))}}"
  }

  static func gateway(_ port: Int, name: String = "gateway", listener: String = "") -> String {
    """
    {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: \(name)}, spec: {gatewayClassName: weft, \
    addresses: [{value: 127.0.0.1}], \
    listeners: [{name: http, protocol: HTTP, port: \(port)\(listener.isEmpty ? "" : ", " + listener)}]}}
    """
  }

  static func service(_ name: String, _ endpoints: [SocketEndpoint], _ members: String = "") -> String {
    service(name, endpoints: endpoints.map { "\"\($0)\"" }, members)
  }

  static func service(_ name: String, endpoints: [String], _ members: String = "") -> String {
    """
    {apiVersion: weft.dev/v1, kind: Service, metadata: {name: \(name)}, spec: {endpoints: \
    [\(endpoints.joined(separator: ", "))]\(members.isEmpty ? "" : ", " + members)}}
    """
  }

  /// - Parameter members: of the route's `spec`: `rules: [...]` and more.
  static func route(_ name: String, _ members: String, gateway: String = "gateway") -> String {
    """
    {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: \(name)}, \
    spec: {parentRefs: [{name: \(gateway)}], \(members)}}
    """
  }

  /// A Filter of a registered type.
  static func filter(_ name: String, type: String, config: String) -> String {
    """
    {apiVersion: weft.dev/v1, kind: Filter, metadata: {name: \(name)}, spec: {type: \(type), config: {\(config)}}}
    """
  }

  /// An entry of a filter chain that names a Filter.
  static func reference(_ name: String) -> String {
    "{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: \(name)}}"
  }

  static func backendRef(_ name: String, weight: Int? = nil, _ members: String = "") -> String {
    let weight = weight.map { ", weight: \($0)" } ?? ""
    return "{group: weft.dev, kind: Service, name: \(name)\(weight)\(members.isEmpty ? "" : ", " + members)}"
  }
}
