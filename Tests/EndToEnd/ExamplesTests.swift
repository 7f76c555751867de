import Testing

@Suite("What the repository offers to run", .endToEnd)
struct ExamplesTests {
  /// The folder that holds Package.swift.
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  @Test("the quick start's configuration is valid as it stands")
  func quickStart() throws {
    let result = try WeftBinary.run("check", "--strict", "-f", "\(Self.root)/examples/quickstart/gateway.yaml")
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
    #expect(result.output.contains("ok: 1 listener, 1 route rule, 3 filters, 1 service"))
  }

  @Test("the route that a request takes is explained")
  func routes() throws {
    let result = try WeftBinary.run(
      "routes", "-f", "\(Self.root)/examples/quickstart/gateway.yaml", "GET", "http://localhost:8080/cart")
    #expect(result.code == 0, "\(result.output)")
    #expect(result.output.contains("default/greeting (lua)"))
  }

  @Test("the TLS example is valid with the certificates that its script makes")
  func tls() throws {
    let folder = try TemporaryFolder()
    for name in ["gateway.yaml", "certificates.sh"] {
      try folder.write(name, try #require(readFile("\(Self.root)/examples/tls/\(name)")))
    }
    #expect(try Tool.run("bash", [folder.path("certificates.sh")]).code == 0)
    let result = try WeftBinary.run("check", "--strict", "-f", folder.path("gateway.yaml"))
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
    #expect(result.output.contains("ok: 1 listener, 2 route rules, 1 filter, 1 service"))
  }

  @Test("each shipped bundle runs", arguments: ["tenant-tag", "path-guard", "body-redact"])
  func bundles(_ name: String) throws {
    let scene = try Scene(
      rules: "[{filters: [\(Resources.reference("shipped"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [Resources.filter("shipped", type: "lua", config: "bundle: \(Self.root)/filters/\(name)")])
    defer { scene.stop() }
    #expect(try scene.get("/echo").status == 200)
    let guarded = try scene.get("/.git/config")
    #expect(guarded.status == (name == "path-guard" ? 403 : 200))
    if name == "tenant-tag" {
      #expect(try scene.get("/echo").text.contains("x-tenant: none\r\n"))
    }
  }
}
