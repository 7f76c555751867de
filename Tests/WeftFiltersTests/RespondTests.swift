import Foundation
import Testing
import WeftConfig
import WeftFilter
import WeftFilters

@Suite struct RespondTests {
  @Test func aResponseWithHeaders() throws {
    let bench = try bench(
      Respond.self,
      """
      status: 503
      body: "{\\"error\\": \\"maintenance\\"}"
      contentType: application/json
      headers:
      - {name: retry-after, value: "120"}
      - {name: x-route, value: "%ROUTE_NAME% %RESPONSE_CODE%"}
      """)
    let exchange = try bench.request("POST", "/", body: ["ignored"])
    #expect(exchange.response?.status == 503)
    #expect(exchange.response?.text == "{\"error\": \"maintenance\"}")
    #expect(
      exchange.response?.lines == [
        "content-type: application/json", "retry-after: 120", "x-route: default/route#0 503", "content-length: 24",
      ])
    #expect(exchange.upstreamRequest == nil)
    #expect(bench.metric("weft_filter_responses_total", ["respond", "5xx"]) == 1)
  }

  @Test func defaults() throws {
    let exchange = try bench(Respond.self, "{}").request()
    #expect(exchange.response?.status == 200)
    #expect(exchange.response?.lines == ["content-length: 0"])
    let text = try bench(Respond.self, "body: hi").request()
    #expect(text.response?["content-type"] == "text/plain; charset=utf-8")
  }

  @Test func headRequestsGetNoBody() throws {
    let exchange = try bench(Respond.self, "body: hello").request("HEAD", "/")
    #expect(exchange.response?.text == "")
    #expect(exchange.response?["content-length"] == "5")
  }

  @Test func aBodyFromAFileBesidesTheConfiguration() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weft-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = folder.appendingPathComponent("page.html")
    try Data([0x3c, 0x00, 0xff, 0x3e]).write(to: page)
    func decode() throws -> Respond {
      let documents = ConfigDocuments(
        parsing: "bodyFile: page.html\ncontentType: text/html", file: folder.appendingPathComponent("a.yaml").path)
      let context = FilterBench().context("page")
      return try ObjectReader.decode(try #require(documents.roots.first)) { try Respond($0, context) }
    }
    let type = try decode()
    let bench = FilterBench()
    try bench.add(type)
    #expect(try bench.request().response?.body == [0x3c, 0x00, 0xff, 0x3e])
    #expect(type.watchedPaths == [page.path])
    #expect(try decode().fingerprint == type.fingerprint)
    try Data([0x3c]).write(to: page)
    #expect(try decode().fingerprint != type.fingerprint)
    try Data(count: 1024 * 1024 + 1).write(to: page)
    let error = #expect(throws: ConfigError.self) { try decode() }
    #expect(error?.description.contains("bodyFile: \(page.path) is longer than 1048576 bytes") == true)
  }

  @Test func plainValues() throws {
    let bench = FilterBench()
    try bench.add(Respond(status: 418, body: "teapot"))
    #expect(try bench.request().response?.text == "teapot")
    #expect(throws: InvalidFilterValue.self) { try Respond(status: 199) }
    #expect(throws: InvalidFilterValue.self) { try Respond(status: 204, body: "x") }
  }

  @Test(arguments: [
    ("status: 101", "status: 101 is out of range; allowed are 200 to 599"),
    ("status: 204\nbody: x", "status: a response with status 204 has no body; remove it"),
    ("body: x\nbodyFile: y", "bodyFile: cannot stand together with \"body\"; keep one of them"),
    ("bodyFile: /nonexistent/x", "bodyFile: cannot read /nonexistent/x: No such file or directory"),
    ("bodyFile: /", "bodyFile: / is no file"),
    (
      "headers: [{name: Content-Type, value: a/b}]",
      "headers[0].name: is given by the field \"contentType\""
    ),
    (
      "headers: [{name: content-length, value: \"1\"}]",
      "headers[0]: \"content-length\" is the proxy's own and cannot be changed"
    ),
    ("code: 200", "code: unknown field \"code\""),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(Respond.self, yaml)
    #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
  }
}
