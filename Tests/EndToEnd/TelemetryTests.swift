import Glibc
import Testing

@Suite("Telemetry", .endToEnd)
struct TelemetryTests {
  // MARK: Access logs

  /// A proxy with the given access logs, in place of the scene's own.
  private func logging(_ entries: String, _ body: (Scene, TemporaryFolder) throws -> Void) throws {
    let folder = try TemporaryFolder()
    let scene = try Scene(rules: "[{name: all, backendRefs: [\(Resources.backendRef("backend"))]}]")
    defer { scene.stop() }
    let text = scene.configuration().replacing(
      "accessLog: [", with: "accessLog: [\(entries.replacing("FOLDER", with: folder.path)), ")
    try scene.weft.reloaded { try writeFile(scene.configurationPath, text) }
    try body(scene, folder)
  }

  private func lines(_ path: String, _ count: Int) throws -> [String] {
    try eventually("\(count) lines in \(path)") {
      let lines = (readFile(path) ?? "").split(separator: "\n").map(String.init)
      return lines.count >= count ? lines : nil
    }
  }

  @Test("the default text format has Envoy's fields, then Weft's own")
  func text() throws {
    try logging("{path: FOLDER/text.log}") { scene, folder in
      let client = try scene.client()
      _ = try client.exchange(
        "POST /body?q=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test/1\r\nX-Request-Id: id-1\r\n"
          + "Content-Length: 5\r\n\r\nhello")
      let line = try lines(folder.path("text.log"), 1)[0]
      let pattern =
        #/\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "POST /body\?q=1 HTTP/1\.1" 200 - 5 5 \d+ \d+ "127\.0\.0\.1" "test/1" "id-1" "shop\.example" "127\.0\.0\.1:\d+" via_upstream default/route/all -/#
      #expect(line.wholeMatch(of: pattern) != nil, "\(line)")
    }
  }

  @Test("the JSON format has the documented members, in order, with their types")
  func json() throws {
    let scene = try Scene(rules: "[{name: all, backendRefs: [\(Resources.backendRef("backend"))]}]")
    defer { scene.stop() }
    let client = try scene.client()
    _ = try client.exchange(HTTPText.post("/body", body: "hello", "user-agent: test/1"))
    _ = try client.get("/status?code=503")
    let log = try scene.accessLog(2)
    let names = [
      "start_time", "method", "path", "protocol", "authority", "response_code", "response_flags",
      "response_code_details", "bytes_received", "bytes_sent", "duration", "upstream_service_time", "x_forwarded_for",
      "user_agent", "request_id", "listener", "route_name", "filters", "upstream_service", "upstream_host",
      "upstream_attempts", "upstream_transport_failure_reason", "downstream_remote_address", "downstream_local_address",
    ]
    var rest = Substring(log[0].description)
    for name in names {
      let at = try #require(rest.range(of: "\"\(name)\":"), "\(name) in its place")
      rest = rest[at.upperBound...]
    }
    let line = log[0]
    #expect(line["method"].string == "POST" && line["path"].string == "/body")
    #expect(line["response_code"].int == 200 && line["bytes_received"].int == 5 && line["bytes_sent"].int == 5)
    #expect(line["route_name"].string == "default/route/all")
    #expect(line["upstream_service"].string == "default/backend")
    #expect(line["upstream_host"].string == scene.backend.endpoint.description)
    #expect(line["upstream_attempts"].int == 1)
    #expect(line["downstream_remote_address"].string == "127.0.0.1:\(client.socket.localPort)")
    #expect(line["downstream_local_address"].string == "127.0.0.1:\(scene.port)")
    #expect(line["duration"].int != nil && line["user_agent"].string == "test/1")
    #expect(log[1].status == 503 && log[1].details == "via_upstream" && log[1]["user_agent"].isNull)
  }

  @Test("what clients send cannot forge a line or break its form")
  func forgery() throws {
    try logging("{path: FOLDER/text.log, template: \"%REQ(x-a)% %REQ(:PATH)%\"}") { scene, folder in
      let odd = "a\"b\\c\t{}\u{e9}\u{2028}%0a"
      _ = try scene.get("/echo?%0d%0aforged", "x-a: \(odd)", "user-agent: \(odd)")
      _ = try scene.get("/echo", "user-agent: \(String(repeating: "\"", count: 5000))")
      let text = try lines(folder.path("text.log"), 2)
      #expect(text.count == 2)
      let log = try scene.accessLog(2)
      #expect(log.count == 2)
      #expect(log[0]["user_agent"].string == odd)
      for line in text { #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "\(line)") }
    }
  }

  @Test("several logs, each with its format and its filter")
  func several() throws {
    try logging(
      """
      {path: FOLDER/errors.log, template: "%RESPONSE_CODE% %PATH(NQ)%", filter: {status: [5xx, 404]}}, \
      {path: FOLDER/slow.log, template: "%PATH(NQ)%", filter: {minDuration: 200ms}}, \
      {path: FOLDER/all.json, format: json, fields: {code: "%RESPONSE_CODE%", none: "%REQ(x-none)%", \
      nested: {text: "%RESPONSE_CODE%!"}}}
      """
    ) { scene, folder in
      let client = try scene.client()
      for code in [200, 404, 503] { _ = try client.get("/status?code=\(code)") }
      _ = try client.get("/slow?ms=300")
      #expect(try lines(folder.path("errors.log"), 2) == ["404 /status", "503 /status"])
      #expect(try lines(folder.path("slow.log"), 1) == ["/slow"])
      #expect(
        try lines(folder.path("all.json"), 4)[1] == #"{"code":404,"none":null,"nested":{"text":"404!"}}"#)
    }
  }

  @Test("a log that is renamed is opened anew on SIGUSR1, and no line is lost")
  func rotation() throws {
    try logging("{path: FOLDER/a.log, template: \"%PATH(NQ)%\"}") { scene, folder in
      let client = try scene.client()
      var expected: [String] = []
      for round in 0..<3 {
        for i in 0..<20 {
          let path = "/round-\(round)-\(i)"
          _ = try client.get(path)
          expected.append(path)
        }
        _ = try lines(folder.path("a.log"), 20)
        #expect(rename(folder.path("a.log"), folder.path("a.log.\(round)")) == 0)
        scene.weft.signal(SIGUSR1)
        try eventually("the new file") { readFile(folder.path("a.log")) != nil }
      }
      let all = try (0..<3).flatMap { try lines(folder.path("a.log.\($0)"), 20) }
      #expect(all == expected)
    }
  }

  // MARK: Metrics

  /// Makes requests of several kinds, so that most families have series.
  private func traffic(_ scene: Scene) throws {
    let client = try scene.client()
    for _ in 0..<20 { _ = try client.get("/echo") }
    for code in [201, 302, 404, 500] { _ = try client.get("/status?code=\(code)") }
    _ = try scene.client().exchange("nonsense\r\n\r\n")
    _ = try scene.get("/reset")
    _ = try scene.get("/limited")
  }

  private func scene() throws -> Scene {
    try Scene(
      rules: """
        [{name: limited, matches: [{path: {value: /limited}}], filters: [\(Resources.reference("limit")), \
        \(Resources.reference("script")), \(Resources.reference("again"))], \
        backendRefs: [\(Resources.backendRef("backend"))]}, \
        {name: all, backendRefs: [\(Resources.backendRef("backend"))]}]
        """,
      more: [
        Resources.filter("limit", type: "rate-limit", config: "requests: 100, per: 1s"),
        Resources.filter("again", type: "retry", config: "attempts: 2"),
        Resources.filter("script", type: "lua", config: "script: \"function on_request(h) end\""),
      ], workers: 2)
  }

  @Test("promtool finds nothing to object to, in either format")
  func promtool() throws {
    let scene = try scene()
    defer { scene.stop() }
    try traffic(scene)
    let text = try scene.weft.get("/metrics")
    #expect(text["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
    let folder = try TemporaryFolder()
    try folder.write("metrics", text.text)
    let result = try Tool.run("sh", ["-c", "promtool check metrics < \(folder.path("metrics"))"])
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
    #expect(result.output.isEmpty && result.errorOutput.isEmpty, "\(result.output)\(result.errorOutput)")
    let open = try RawClient(scene.weft.admin).exchange(
      "GET /metrics HTTP/1.1\r\nhost: a\r\naccept: application/openmetrics-text; version=1.0.0\r\n\r\n")
    #expect(open["content-type"]?.hasPrefix("application/openmetrics-text; version=1.0.0") ?? false)
    #expect(open.text.hasSuffix("# EOF\n"))
  }

  @Test("a Prometheus server scrapes what has happened")
  func prometheus() throws {
    let scene = try scene()
    defer { scene.stop() }
    try traffic(scene)
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    try folder.write(
      "prometheus.yml",
      """
      global: {scrape_interval: 1s, scrape_timeout: 1s}
      scrape_configs:
      - job_name: weft
        static_configs: [{targets: ["127.0.0.1:\(scene.weft.admin)"]}]

      """)
    let server: ChildProcess
    do {
      server = try ChildProcess(
        "prometheus",
        [
          "--config.file=\(folder.path("prometheus.yml"))", "--storage.tsdb.path=\(folder.path("data"))",
          "--web.listen-address=127.0.0.1:\(port.number)",
        ], in: folder, name: "prometheus")
    } catch { throw MissingTool(program: "prometheus") }
    defer { server.signal(SIGKILL) }

    /// The value of an expression that has one; nil as long as it has none.
    func value(_ expression: String) throws -> Double? {
      if let end = server.end { throw MissingTool(program: "prometheus (\(end): \(server.errorOutput))") }
      let query = expression.utf8.map { byte in
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
          ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }.joined()
      guard let client = try? RawClient(port.number), let response = try? client.get("/api/v1/query?query=\(query)"),
        response.status == 200
      else { return nil }
      let result = try JSONValue(response.text)["data"]["result"]
      return result.list.count == 1 ? result[0]["value"][1].string.flatMap(Double.init) : nil
    }

    try eventually("a scrape", within: 60) { try value("up{job=\"weft\"}") == 1 }
    let expected: [(String, Double)] = [
      ("sum(weft_http_requests_total{route=\"default/route/all\",code_class=\"2xx\"})", 21),
      ("sum(weft_http_requests_total{code_class=\"3xx\"})", 1),
      ("sum(weft_http_refused_requests_total)", 1),
      ("weft_http_requests_total{route=\"none\",code_class=\"4xx\"}", 1),
      ("sum(weft_http_response_flags_total{route=\"none\",flag=\"DPE\"})", 1),
      ("sum(weft_http_response_flags_total{route=\"default/route/all\",flag=\"UC\"})", 1),
      // On a connection from the pool, which may have been stale, the request was sent twice.
      ("min(weft_upstream_resets_total{service=\"default/backend\"} > 0) > bool 0", 1),
      ("weft_lua_calls_total", 1),
      ("sum(weft_http_request_duration_seconds_count{route=\"default/route/all\"})", 25),
      ("weft_config_last_reload_successful", 1),
    ]
    for (expression, number) in expected {
      try eventually("\(expression) to be \(number)") { try value(expression) == number }
    }
    let quantile = try eventually("a quantile") {
      try value(
        "histogram_quantile(0.5, sum by (le) (weft_http_request_duration_seconds_bucket{route=\"default/route/all\"}))")
    }
    #expect(quantile > 0 && quantile < 10)
    #expect(try value("count({__name__=~\"weft_.*\"})") ?? 0 > 50)
  }

  @Test("every metric of the reference is there, and no other")
  func reference() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let page = try #require(readFile(root + "/docs/metrics.md"))
    let documented = Set(
      page.split(separator: "\n").compactMap { $0.firstMatch(of: #/^\| `((weft|process)_\w+)`/#).map { String($0.1) } })
    let types = ["compress", "cors", "fault", "lua", "mirror", "rate-limit", "retry"]
    let configs = [
      "", "allowOrigins: [\"*\"]", "abort: {httpStatus: 500}, headers: [{name: x-fault, value: abort}]",
      "script: \"function on_request() end\"",
      "backendRef: {name: backend, group: weft.dev}", "requests: 1, per: 1s", "attempts: 1",
    ]
    let dead = try ReservedPort()
    let scene = try Scene(
      rules: "[{filters: [\(types.map(Resources.reference).joined(separator: ", "))], "
        + "backendRefs: [\(Resources.backendRef("backend"))]}, {matches: [{path: {value: /dead}}], "
        + "backendRefs: [\(Resources.backendRef("dead"))]}]",
      more: zip(types, configs).map { Resources.filter($0, type: $0, config: $1) }
        + [Resources.service("dead", endpoints: ["\"localhost:\(dead.number)\""])])
    defer { scene.stop() }
    // Families without series are left out: failures of each kind bring them forth.
    #expect(try scene.get("/", "x-fault: abort").status == 500)
    #expect(try scene.get("/").status == 200)
    #expect(try scene.get("/").status == 429)
    #expect(try scene.client().exchange("nonsense\r\n\r\n").status == 400)
    #expect(try scene.get("/dead").status == 503)
    let text = try scene.weft.get("/metrics").text
    let found = Set(
      text.split(separator: "\n").compactMap { $0.firstMatch(of: #/^# TYPE (\w+) /#).map { String($0.1) } })
    // Nothing short of a blocked loop or a thousand routes brings these.
    let rare: Set = [
      "weft_worker_stalls_total", "weft_metrics_series_overflow_total", "weft_lua_states_replaced_total",
    ]
    // Their own suites see these: TLS, HTTP/2, health checks, policies, rollouts, and what a script registers.
    let others = documented.filter {
      $0.contains("_tls_") || $0.contains("_http2_") || $0.hasPrefix("weft_filter_mtls_")
        || $0.hasPrefix("weft_lua_script_") || $0.hasPrefix("weft_lua_rollout_")
        || $0.hasPrefix("weft_request_authentication_") || $0.hasPrefix("weft_authorization_")
        || $0.hasPrefix("weft_downstream_proxy_protocol_") || $0 == "weft_downstream_plain_connections_total"
        || ["weft_upstream_ejections_total", "weft_upstream_health_checks_total"].contains($0)
    }
    #expect(documented.subtracting(found).subtracting(rare).subtracting(others).sorted() == [], "only in the reference")
    #expect(found.subtracting(documented).sorted() == [], "only in the proxy")
  }

  @Test("numbers add up: requests, bytes, connections")
  func numbers() throws {
    let scene = try Scene(rules: "[{name: all, backendRefs: [\(Resources.backendRef("backend"))]}]", workers: 2)
    defer { scene.stop() }
    for _ in 0..<4 {
      let client = try scene.client()
      for _ in 0..<5 { _ = try client.exchange(HTTPText.post("/body", body: "1234567890")) }
    }
    let weft = scene.weft
    let route = "route=\"default/route/all\""
    // A response is on its way before it is counted.
    try eventually("20 requests") { try weft.metric("weft_http_requests_total", route, "2xx") == 20 }
    #expect(try weft.metric("weft_http_request_body_bytes_total", route) == 200)
    #expect(try weft.metric("weft_http_response_body_bytes_total", route) == 200)
    #expect(try weft.metric("weft_http_request_duration_seconds_count", route) == 20)
    #expect(try weft.metric("weft_downstream_connections_total") == 4)
    #expect(try weft.metric("weft_upstream_requests_total", "2xx") == 20)
    #expect(try weft.metric("weft_upstream_connections_total") == Double(scene.backend.connections.count))
    try eventually("no connection") { try weft.metric("weft_downstream_connections_active") == 0 }
    #expect(try weft.metric("weft_http_requests_active") == 0)
    #expect(try weft.metric("weft_upstream_requests_active") == 0)
    #expect(try weft.metric("weft_upstream_connections_active") == Double(scene.backend.connections.count))
    #expect(
      try weft.metric("weft_upstream_connect_duration_seconds_count") == Double(scene.backend.connections.count))
    // What workers look at once a second.
    try eventually("idle connections") {
      try weft.metric("weft_upstream_connections_idle") == Double(scene.backend.connections.count)
    }
    #expect(try weft.metric("weft_upstream_endpoints", "state=\"ready\"") == 1)
    #expect(try weft.metric("weft_worker_busy_seconds_total") > 0)
    try eventually("no exchange") { try weft.metric("weft_worker_exchanges_active") == 0 }
    try eventually("no buffer") { try weft.metric("weft_worker_buffer_bytes") == 0 }
    #expect(try JSONValue(weft.get("/stats").text).isNull == false)
  }
}
