import Glibc
import Testing

/// What proxies report, as people see it.
@Suite("Traffic of the mesh", .endToEnd)
struct MeshTrafficTests {
  @Test("weft status shows services, edges and routes with rates and latencies, and /metrics counts them")
  func traffic() throws {
    let mesh = try MeshScene()
    let port = try ReservedPort()
    #expect(try mesh.weft("status", "services").output.contains("no requests in the last minute"))
    let pair = try MeshPair(
      mesh,
      resources: [
        Resources.gateway(port.number, name: "edge"),
        Resources.route("front", "rules: [{backendRefs: [\(Resources.backendRef("reviews"))]}]", gateway: "edge"),
      ])
    let a = pair.reviews
    let edge = try mesh.gateway("edge")
    defer {
      edge.stop()
      pair.stop()
    }
    func throughTheGateway() throws -> Int {
      let client = try RawClient(port.number)
      try client.send("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")
      return try client.response(to: "GET").status
    }
    try eventually("the gateway to reach reviews") { try throughTheGateway() == 200 }
    for _ in 0..<30 {
      _ = try a.get("ratings")
      _ = try throughTheGateway()
    }
    // Reports come every ten seconds.
    func figures(_ view: String, _ isThere: (JSONValue) -> Bool) throws -> JSONValue {
      try eventually("\(view)", within: 120) {
        let rows = try JSONValue(try mesh.weft("status", view, "--json").output)[view].list
        return rows.first(where: isThere)
      }
    }
    let service = try figures("services") {
      $0["service"].string == "default/ratings" && $0["isReportedByItself"].bool == true
    }
    #expect(service["figures"]["successRate"].number == 1)
    let called = try figures("edges") {
      $0["source"].string == "default/reviews" && $0["destination"].string == "default/ratings"
    }
    #expect((called["figures"]["requestsPerSecond"].number ?? 0) > 0)
    #expect((called["figures"]["p50"].number ?? 0) > 0 && (called["figures"]["p99"].number ?? 0) > 0)
    _ = try figures("edges") { $0["source"].string == "default/edge" && $0["destination"].string == "default/reviews" }
    let route = try figures("routes") {
      $0["proxy"].string == "default/edge" && ($0["route"].string ?? "").contains("front")
    }
    #expect((route["figures"]["p99"].number ?? 0) > 0)
    let table = try mesh.weft("status", "edges").output
    #expect(table.contains("default/reviews") && table.contains("100.00 %"), "\(table)")
    let metrics = try Tool.run("curl", ["-s", "--max-time", "20", "\(mesh.apiURL)/metrics"]).output
    #expect(
      metrics.contains(
        "weft_mesh_requests_total{source=\"default/reviews\",destination=\"default/ratings\",code=\"200\"}"))
    #expect(metrics.contains("weft_mesh_request_duration_seconds_count{destination=\"default/ratings\"}"))
  }
}
