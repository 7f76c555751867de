import Foundation
import Testing

@Suite("Bundles of one name in several namespaces", .endToEnd)
struct BundleNamespaceTests {
  /// A lua filter that names the bundle of its namespace, its route and what it needs there.
  private func routed(_ namespace: String, _ app: Backend) -> String {
    let metadata = "namespace: \(namespace)"
    return """
      {apiVersion: weft.dev/v1, kind: Service, metadata: {name: app, \(metadata)}, spec: {endpoints: ["\(app.endpoint)"]}}
      ---
      {apiVersion: weft.dev/v1, kind: Filter, metadata: {name: tag, \(metadata)}, spec: {type: lua, config: {bundle: tagger}}}
      ---
      {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: front, \(metadata)}, spec: {\
      parentRefs: [{name: edge, namespace: default}], hostnames: [\(namespace).example], \
      rules: [{filters: [\(Resources.reference("tag"))], backendRefs: [\(Resources.backendRef("app"))]}]}}
      """
  }

  @Test("each route of a gateway runs the one of its namespace, with a state, dictionaries and figures of its own")
  func apart() throws {
    let mesh = try MeshScene()
    let app = try Backend("app")
    defer { app.stop() }
    let port = try ReservedPort()

    func push(_ version: String, _ namespace: String, _ more: String...) throws {
      try mesh.folder.write("tagger/bundle.yaml", "name: tagger\nversion: \(version)\nshared: {seen: 64KiB}\n")
      try mesh.folder.write(
        "tagger/main.lua",
        """
        local seen = weft.shared("seen")
        function on_response(h)
          h:headers():add("x-tag", "\(namespace) \(version)")
          h:headers():add("x-seen", tostring(seen:incr("count", 1, 0)))
        end
        """)
      let result = try Tool.run(
        WeftBinary.path,
        [
          "bundle", "push", mesh.folder.path("tagger"), "--skip-tests", "--use", "-n", namespace, "--control",
          mesh.apiURL,
        ] + more)
      #expect(result.code == 0, "\(result.errorOutput)\(result.output)")
    }
    func ask(_ namespace: String) throws -> HTTPMessage {
      let client = try RawClient(port.number)
      try client.send("GET / HTTP/1.1\r\nhost: \(namespace).example\r\nconnection: close\r\n\r\n")
      return try client.response(to: "GET")
    }
    func tag(_ namespace: String) throws -> String? { try ask(namespace)["x-tag"] }

    try push("1.0.0", "red")
    try push("2.0.0", "blue")
    try mesh.apply(
      Resources.gateway(port.number, name: "edge", listener: "allowedRoutes: {namespaces: {from: All}}"),
      routed("red", app), routed("blue", app))
    let gateway = try mesh.gateway("edge")
    defer { gateway.stop() }
    for (namespace, version) in [("red", "1.0.0"), ("blue", "2.0.0")] {
      try eventually("the route of \(namespace)") { try tag(namespace) == "\(namespace) \(version)" }
    }
    // Each has dictionaries of its own.
    func seen(_ namespace: String) throws -> Int { Int(try ask(namespace)["x-seen"] ?? "") ?? 0 }
    let before = (red: try seen("red"), blue: try seen("blue"))
    for _ in 0..<3 { _ = try seen("red") }
    #expect(try seen("red") == before.red + 4 && seen("blue") == before.blue + 1)

    // A change of one leaves the other alone.
    try push("1.1.0", "red")
    try eventually("the new version of red") { try tag("red") == "red 1.1.0" }
    #expect(try tag("blue") == "blue 2.0.0")
    for (namespace, version) in [("red", "1.1.0"), ("blue", "2.0.0")] {
      let status = try JSONValue(try mesh.weft("bundle", "status", "tagger", "-n", namespace, "--json").output)
      let listed = try JSONValue(try mesh.weft("bundle", "list", "tagger", "--json").output)
      let digest = listed.list.first { $0["version"].string == version }?["digest"].string
      #expect(status["proxies"][0]["digest"].string == digest && digest != nil, "\(status)")
    }

    // A version of one that fails holds up that one alone, and it is its FilterBundle that is refused.
    try mesh.folder.write("tagger/bundle.yaml", "name: tagger\nversion: 3.0.0\n")
    try mesh.folder.write("tagger/main.lua", "error(\"boom\")\n")
    let refused = try Tool.run(
      WeftBinary.path,
      ["bundle", "push", mesh.folder.path("tagger"), "--skip-tests", "--use", "-n", "red", "--control", mesh.apiURL])
    #expect(refused.code == 1 && refused.errorOutput.contains("boom"), "\(refused.errorOutput)")
    #expect(try tag("red") == "red 1.1.0")
  }
}
