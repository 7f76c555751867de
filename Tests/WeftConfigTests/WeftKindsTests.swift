import Testing

@testable import WeftConfig

@Suite struct WeftKindsTests {
  func weft(_ kind: String, _ spec: String) -> String {
    "apiVersion: weft.dev/v1\nkind: \(kind)\nmetadata: {name: a}\nspec:\n\(spec)"
  }

  @Test func service() throws {
    let set = resources(
      weft(
        "Service",
        """
          endpoints:
          - 10.0.0.5:80
          - "[2001:db8::1]:8080"
          - reviews.internal:80
          - unix:/run/app.sock
          - {address: "10.0.0.6:80", weight: 3, zone: a}
          loadBalancer: least-request
          connectionPool: {maxConnections: 10, maxPendingRequests: 0, idleTimeout: 30s}
          timeouts: {connect: 1s, firstByte: 0s}
          dns: {minRefresh: 5s, maxRefresh: 1m}
          tcpKeepalive: {time: 0s}
        """))
    let service = try #require(set.weftServices.all.first)
    #expect(
      service.endpoints.map(\.address) == [
        .ip("10.0.0.5", port: 80), .ip("2001:db8::1", port: 8080), .name("reviews.internal", port: 80),
        .unix("/run/app.sock"), .ip("10.0.0.6", port: 80),
      ])
    #expect(service.endpoints.map(\.weight) == [1, 1, 1, 1, 3])
    #expect(service.endpoints[4].zone == "a")
    #expect(service.traffic.loadBalancer == .leastRequest)
    #expect(service.traffic.connectionPool.maxConnections == 10)
    #expect(service.traffic.connectionPool.maxIdleConnections == 512)
    #expect(service.traffic.timeouts.connect == .seconds(1) && service.traffic.timeouts.firstByte.isZero)
    #expect(service.traffic.timeouts.idle == .minutes(5))
    #expect(service.traffic.dns.minRefresh == .seconds(5))
    #expect(service.traffic.tcpKeepalive.time.isZero)
  }

  @Test(arguments: [
    "a", "a:", ":80", "a:0", "a:65536", "a:08000000", "10.0.0.1", "::1:80", "[::1]", "[10.0.0.1]:80", "[::1]:x",
    "a b:80",
    "unix:", "unix:run", "10.0.0.256:80", "-a:80", "a..b:80", "unix:/" + String(repeating: "a", count: 108),
  ])
  func noEndpoints(text: String) {
    #expect(ServiceEndpoint.Address(text) == nil)
  }

  @Test(arguments: ["10.0.0.5:80", "[::1]:80", "a_b.c:1", "unix:/a b"])
  func endpointsDescribeThemselves(text: String) {
    #expect(ServiceEndpoint.Address(text)?.description == text)
  }

  @Test func healthHasDefaults() throws {
    let set = resources(weft("Service", "  endpoints: [\"a:1\"]\n  healthCheck: {}\n  outlierDetection: {}"))
    let traffic = try #require(set.weftServices.all.first).traffic
    let check = try #require(traffic.healthCheck)
    #expect(check.type == .http && check.path == "/" && check.host == nil && check.expectedStatuses == [200...299])
    #expect(check.interval == .seconds(10) && check.timeout == .seconds(1) && check.jitter == 10)
    #expect(check.healthyThreshold == 2 && check.unhealthyThreshold == 3)
    let outlier = try #require(traffic.outlierDetection)
    #expect(outlier.consecutive5xx == 5 && outlier.consecutiveGatewayErrors == 0 && outlier.maxEjectionPercent == 50)
    #expect(outlier.baseEjectionTime == .seconds(30) && outlier.maxEjectionTime == .seconds(300))
    #expect(traffic.panicThreshold == 50)
  }

  @Test(arguments: [
    ("healthCheck: {expectedStatuses: [\"200-\"]}", "write a status from 100 to 599"),
    ("healthCheck: {expectedStatuses: [\"299-200\"]}", "write a status from 100 to 599"),
    ("healthCheck: {type: tcp, path: /x}", "is of no use to a check of type tcp"),
    ("healthCheck: {type: grpc, expectedStatuses: [200]}", "is of no use to a check of type grpc"),
    ("healthCheck: {path: healthz}", "a path begins with"),
    ("healthCheck: {host: \"a\\r\\nb: c\"}", "a host is a name"),
    ("outlierDetection: {baseEjectionTime: 2m, maxEjectionTime: 1m}", "is shorter than baseEjectionTime"),
    ("outlierDetection: {consecutive5xx: 0}", "looks at nothing"),
  ])
  func whatHealthCannotBe(spec: String, message: String) throws {
    let found = diagnostics(weft("Service", "  endpoints: [\"a:1\"]\n  \(spec)"))
    #expect(found.count == 1 && found[0].contains(message), "\(found)")
  }

  @Test func policiesTakeThePlaceOfWhatServicesSay() throws {
    let set = resources(
      weft("Service", "  endpoints: [\"a:1\"]\n  timeouts: {connect: 3s, idle: 4s}\n  panicThreshold: 10") + "\n---\n"
        + weft(
          "BackendTrafficPolicy",
          "  targetRefs: [{group: weft.dev, kind: Service, name: a}]\n  timeouts: {connect: 1s}\n  healthCheck: {}"))
    let service = try #require(set.weftServices.all.first)
    let traffic = set.traffic(service.traffic, of: WeftService.kind, service.name, port: nil)
    #expect(traffic.timeouts.connect == .seconds(1) && traffic.timeouts.idle == .minutes(5))
    #expect(traffic.panicThreshold == 10 && traffic.healthCheck != nil && service.traffic.healthCheck == nil)
    let lost = diagnostics(
      weft("BackendTrafficPolicy", "  targetRefs: [{group: weft.dev, kind: Service, name: b}]\n  panicThreshold: 1"))
    #expect(lost.count == 1 && lost[0].contains("for the policy to govern"), "\(lost)")
  }

  @Test func filterKeepsItsConfigurationRaw() throws {
    let set = resources(weft("Filter", "  type: lua\n  config: {bundle: ./tag, settings: {a: [1]}}"))
    let filter = try #require(set.filters.all.first)
    #expect(filter.type == "lua")
    #expect(filter.config.json == #"{"bundle":"./tag","settings":{"a":[1]}}"#)
    #expect(filter.config["settings"]?["a"]?.path.description == "spec.config.settings.a")
    #expect(filter.config["bundle"]?.location.line == 6)
    let bare = try #require(resources(weft("Filter", "  type: cors")).filters.all.first)
    #expect(bare.config.kind == .mapping && bare.config.path.description == "spec.config")
  }

  @Test func proxy() throws {
    let set = resources(
      weft(
        "Proxy",
        """
          timeouts: {requestHeader: 5s, drain: 1m}
          limits: {maxRequestLine: 4KiB, maxHeaderBytes: 32768, maxHeaders: 64, maxConnections: 100}
          forwarding:
            xForwardedFor: replace
            forwarded: true
            trustedProxies: [10.0.0.0/8, "::1"]
            requestId: generate
            via: edge
            serverHeader: ""
          dns: {servers: [10.0.0.2, "127.0.0.1:8600", "::1", "[::1]:5353"]}
          accessLog:
          - {path: stderr, format: json, fields: {status: "%RESPONSE_CODE%"}, filter: {status: [5xx, 404, 500-503]}}
          - {path: /var/log/weft.log, template: "%PROTOCOL%\\n", filter: {minDuration: 1s}}
        """))
    let proxy = try #require(set.proxy)
    #expect(proxy.timeouts.requestHeader == .seconds(5) && proxy.timeouts.keepAlive == .seconds(75))
    #expect(proxy.limits.maxRequestLine == 4096 && proxy.limits.maxHeaders == 64)
    #expect(proxy.forwarding.trustedProxies == ["10.0.0.0/8", "::1"] && proxy.forwarding.requestId == .generate)
    #expect(proxy.dns.servers == ["10.0.0.2", "127.0.0.1:8600", "::1", "[::1]:5353"])
    #expect(
      proxy.accessLog[0].destination == .standardError
        && proxy.accessLog[0].fields?.json == #"{"status":"%RESPONSE_CODE%"}"#)
    #expect(proxy.accessLog[0].statuses == [500...599, 404...404, 500...503])
    #expect(proxy.accessLog[1].destination == .file("/var/log/weft.log"))
  }

  @Test(arguments: [
    ("Service", "  endpoints: []", "5: spec.endpoints: needs at least 1 element"),
    (
      "Service", "  endpoints: [\"http://a:80\"]",
      "5: spec.endpoints[0]: \"http://a:80\" is a URL; leave out \"http://\" and what follows the port"
    ),
    ("Service", "  endpoints: [{weight: 1}]", "5: spec.endpoints[0].address: is missing; it must be given"),
    (
      "Service", "  endpoints: [\"a:80\"]\n  loadBalancer: least_request",
      "6: spec.loadBalancer: unknown value \"least_request\"; did you mean \"least-request\"?"
    ),
    ("Filter", "  config: {}", "5: spec.type: is missing; it must be given"),
    ("Filter", "  type: a\n  config: []", "6: spec.config: expected an object with fields, not a list"),
    (
      "Proxy", "  forwarding: {trustedProxies: [10.0.0.0/33]}",
      """
      5: spec.forwarding.trustedProxies[0]: "10.0.0.0/33" is not allowed; use an address or a network such as \
      10.0.0.0/8 or 2001:db8::/32
      """
    ),
    (
      "Proxy", "  forwarding: {trustedHops: 1, trustedProxies: [\"::1\"]}",
      "5: spec.forwarding.trustedHops: cannot stand together with \"trustedProxies\"; keep one of them"
    ),
    (
      "Proxy", "  dns: {servers: [dns.example]}",
      """
      5: spec.dns.servers[0]: "dns.example" is not allowed; use an address such as 10.0.0.2, 10.0.0.2:5353 or \
      [2001:db8::2]:53
      """
    ),
    (
      "Proxy", "  limits: {maxHeaderBytes: 1MiB}",
      "5: spec.limits.maxHeaderBytes: 1MiB is out of range; allowed are 1KiB to 32KiB"
    ),
    (
      "Proxy", "  accessLog: [{path: log.txt}]",
      "5: spec.accessLog[0].path: \"log.txt\" is not allowed; use stdout, stderr or an absolute path"
    ),
    (
      "Proxy", "  accessLog: [{filter: {status: [6xx]}}]",
      "5: spec.accessLog[0].filter.status[0]: \"6xx\" is no status; write 404, 5xx or 500-503"
    ),
    (
      "Proxy", "  accessLog: [{fields: {a: b}}]",
      "5: spec.accessLog[0].fields: belongs to \"format: json\"; a text log has a template"
    ),
    ("Filtr", "  {}", "2: kind: kind \"Filtr\" of weft.dev/v1 is not known; did you mean \"Filter\"?"),
    (
      "Gateway", "  {}",
      "2: kind: kind \"Gateway\" of weft.dev/v1 is not known; Gateway is of apiVersion gateway.networking.k8s.io/v1"
    ),
    (
      "Policy", "  {}",
      "2: kind: kind \"Policy\" of weft.dev/v1 is not known; known are AuthorizationPolicy, BackendTrafficPolicy, Filter, FilterBundle, PeerAuthentication, Proxy, RequestAuthentication, Service, Workload"
    ),
  ])
  func mistakes(kind: String, spec: String, message: String) {
    #expect(diagnostics(weft(kind, spec)) == ["a.yaml:\(message)"])
  }
}
