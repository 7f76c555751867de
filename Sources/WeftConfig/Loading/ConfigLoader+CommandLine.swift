extension ConfigLoader {
  /// The configuration of `weft run --listen ADDRESS --to ENDPOINT`: every request that comes in at one of `listen`
  /// goes through `filters`, in order, to one of `endpoints`.
  ///
  /// - Parameters:
  ///   - listen: `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:/path` each.
  ///   - endpoints: as a `weft.dev` Service takes them.
  ///   - filters: folders of Lua bundles.
  public static func load(listen: [String], to endpoints: [String], filters: [String] = []) -> LoadedConfiguration {
    let file = "command line"
    var problems: [Diagnostic] = []
    func fail(_ option: String, _ message: String) {
      problems.append(Diagnostic(at: SourceLocation(file: file), path: FieldPath.root.appending(option), message))
    }
    var documents: [String] = []
    for (index, address) in listen.enumerated() {
      if address.hasPrefix("unix:") {
        documents.append(gateway("command-line-\(index + 1)", unixPath: String(address.dropFirst(5))))
        continue
      }
      guard let (host, port) = listenAddress(address) else {
        fail(
          "--listen", "\"\(address)\" is no address to listen on; write :8080, 127.0.0.1:8080, [::1]:8080 or unix:/path"
        )
        continue
      }
      documents.append(gateway("command-line-\(index + 1)", host: host, port: port))
    }
    for endpoint in endpoints where ServiceEndpoint.Address(endpoint) == nil {
      fail("--to", "\"\(endpoint)\" is no endpoint; write host:port, such as 127.0.0.1:9001, or unix:/path")
    }
    if listen.isEmpty { fail("--listen", "is missing") }
    if endpoints.isEmpty { fail("--to", "is missing") }
    guard problems.isEmpty else {
      return LoadedConfiguration(resources: ResourceSet(), diagnostics: problems)
    }
    documents.append(service(endpoints))
    documents.append(route(gateways: listen.count, filters: filters.count))
    for (index, bundle) in filters.enumerated() { documents.append(filter("command-line-\(index + 1)", bundle)) }
    return load(text: documents.joined(separator: "\n---\n"), file: file)
  }

  private static func listenAddress(_ text: String) -> (host: String, port: Int)? {
    guard let colon = text.lastIndex(of: ":"), let port = AddressSyntax.port(text[text.index(after: colon)...]) else {
      return nil
    }
    let host = text[..<colon]
    if host.isEmpty { return ("", port) }
    if host.hasPrefix("["), host.hasSuffix("]") {
      let address = String(host.dropFirst().dropLast())
      return AddressSyntax.isIPv6(address) ? (address, port) : nil
    }
    return AddressSyntax.isIPv4(String(host)) ? (String(host), port) : nil
  }

  // YAML takes JSON strings, so quoted text cannot break out of its place.

  private static func gateway(_ name: String, host: String, port: Int) -> String {
    gateway(name, address: host.isEmpty ? "" : "{value: \(JSONText.quote(host))}", port: port)
  }

  /// A listener needs a port, which a Unix socket has no use for.
  private static func gateway(_ name: String, unixPath: String) -> String {
    gateway(
      name, address: "{type: \(Gateway.Address.unixSocket), value: \(JSONText.quote(unixPath))}", port: 80)
  }

  private static func gateway(_ name: String, address: String, port: Int) -> String {
    """
    apiVersion: \(ResourceKind.gatewayAPI)/v1
    kind: Gateway
    metadata: {name: \(name)}
    spec:
      gatewayClassName: weft
      addresses: [\(address)]
      listeners: [{name: http, protocol: HTTP, port: \(port)}]
    """
  }

  private static func service(_ endpoints: [String]) -> String {
    """
    apiVersion: \(ResourceKind.weft)/v1
    kind: Service
    metadata: {name: command-line}
    spec: {endpoints: [\(endpoints.map(JSONText.quote).joined(separator: ", "))]}
    """
  }

  private static func route(gateways: Int, filters: Int) -> String {
    let parents = (1..<(gateways + 1)).map { "{name: command-line-\($0)}" }
    let references = (1..<(filters + 1)).map { index in
      """
      {type: ExtensionRef, extensionRef: {group: \(ResourceKind.weft), kind: Filter, name: command-line-\(index)}}
      """
    }
    return """
      apiVersion: \(ResourceKind.gatewayAPI)/v1
      kind: HTTPRoute
      metadata: {name: command-line}
      spec:
        parentRefs: [\(parents.joined(separator: ", "))]
        rules:
        - filters: [\(references.joined(separator: ", "))]
          backendRefs: [{group: \(ResourceKind.weft), name: command-line}]
      """
  }

  /// A bundle is named by its path, relative to the folder in which the command runs.
  private static func filter(_ name: String, _ bundle: String) -> String {
    let isPath = ["/", "./", "../"].contains { bundle.hasPrefix($0) }
    return """
      apiVersion: \(ResourceKind.weft)/v1
      kind: Filter
      metadata: {name: \(name)}
      spec: {type: lua, config: {bundle: \(JSONText.quote(isPath ? bundle : "./\(bundle)"))}}
      """
  }
}
