import Foundation
import Testing
import WeftIO

@testable import WeftTelemetry

@Suite struct AccessLogTextTests {
  let fields = TestFields(
    [
      "user-agent": "curl/8", "x-forwarded-for": "198.51.100.1", "x-request-id": "abc", "x-tenant": "acme",
      "referer": "http://a/",
    ],
    response: ["content-type": "text/html", "server": "items"], trailers: ["grpc-status": "0"])

  @Test func theDefaultFormat() throws {
    #expect(
      line(try AccessLogFormat(text: AccessLogFormat.defaultText), Sample.record(), fields) == """
        [2026-11-23T06:08:40.765Z] "GET /shop/items?id=7&sort=up HTTP/1.1" 200 - 10 2048 12 7 "198.51.100.1" "curl/8" \
        "abc" "shop.example" "10.0.0.5:8080" via_upstream shop/0 cors,tenant-tag

        """)
  }

  @Test func theDefaultFormatOfAnExchangeThatKnowsNothing() throws {
    #expect(
      line(
        try AccessLogFormat(text: AccessLogFormat.defaultText), AccessRecord(startTime: 0, duration: 0),
        NoAccessFields()) == """
          [1970-01-01T00:00:00.000Z] "- - -" 0 - 0 0 0 - "-" "-" "-" "-" "-" - - -

          """)
  }

  /// The default of a widespread mesh, which users bring along.
  @Test func aFormatFromAnotherMeshCompiles() throws {
    let format = """
      [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% \
      %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% \
      %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" \
      "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% \
      %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%

      """
    #expect(
      line(try AccessLogFormat(text: format), Sample.record(), fields) == """
        [2026-11-23T06:08:40.765Z] "GET /shop/items?id=7&sort=up HTTP/1.1" 200 - via_upstream - "-" 10 2048 12 7 \
        "198.51.100.1" "curl/8" "abc" "shop.example" "10.0.0.5:8080" items:80 10.0.0.1:40000 [2001:db8::1]:8080 \
        192.0.2.7:51000 - shop/0

        """)
  }

  @Test(arguments: [
    ("100%%", "100%"), ("", ""), ("plain", "plain"),
    ("%REQ(:METHOD)% %REQ(:SCHEME)% %REQ(:AUTHORITY)% %REQ(host)%", "GET http shop.example shop.example"),
    ("%REQ(x-tenant)%|%REQ(X-TENANT)%|%REQUEST_HEADER(X-Tenant)%", "acme|acme|acme"),
    ("%REQ(x-none)% %REQ(x-none?x-tenant)% %REQ(x-tenant?x-none)% %REQ(x-none?:METHOD)%", "- acme acme GET"),
    ("%REQ(x-tenant):2% %REQ(x-none?x-tenant):3%", "ac acm"),
    ("%REQ(REFERER)% %REQ(USER-AGENT):4%", "http://a/ curl"),
    (
      "%RESP(Content-Type)% %RESPONSE_HEADER(server)% %RESP(:STATUS)% %RESP(x-none?:STATUS)%", "text/html items 200 200"
    ),
    ("%TRAILER(grpc-status)% %RESPONSE_TRAILER(grpc-status)% %TRAILER(x)%", "0 0 -"),
    ("%PROTOCOL% %UPSTREAM_PROTOCOL%", "HTTP/1.1 HTTP/1.1"),
    ("%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS%", "200 via_upstream -"),
    ("%BYTES_RECEIVED% %BYTES_SENT% %REQUEST_HEADERS_BYTES% %RESPONSE_HEADERS_BYTES%", "10 2048 300 150"),
    ("%DURATION% %REQUEST_DURATION% %REQUEST_TX_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", "12 1 2 9 2"),
    ("%UPSTREAM_SERVICE_TIME% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", "7 7"),
    ("%COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)% %COMMON_DURATION(US_CX_BEG:US_CX_END:ns)%", "1000 500000"),
    ("%COMMON_DURATION(US_TX_END:US_RX_BEG:ms)% %COMMON_DURATION(DS_TX_END:DS_RX_BEG:ms)%", "7 -"),
    ("%UPSTREAM_REQUEST_ATTEMPT_COUNT% %CONNECTION_ID%", "1 42"),
    ("%ROUTE_NAME% %LISTENER% %FILTERS%", "shop/0 edge/http cors,tenant-tag"),
    ("%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW% %UPSTREAM_SERVICE%", "items:80 items:80 items:80"),
    (
      "%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%",
      "10.0.0.5:8080 10.0.0.5:8080 10.0.0.5 8080"
    ),
    ("%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %UPSTREAM_LOCAL_PORT%", "10.0.0.1 40000"),
    ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%", "192.0.2.7 51000"),
    ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_PORT%", "192.0.2.7:51000 51000"),
    ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.7"),
    ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%", "2001:db8::1 8080"),
    (
      "%PATH% %PATH(NQ)% %PATH(WQ:ORIG)% %PATH(NQ:PATH)%",
      "/shop/items?id=7&sort=up /shop/items /shop/items?id=7&sort=up /shop/items"
    ),
    ("%QUERY_PARAM(id)% %QUERY_PARAM(sort)% %QUERY_PARAM(so)% %QUERY_PARAM(sort):1%", "7 up - u"),
    ("%REQUEST_ID% %TRACE_ID% %SPAN_ID% %REQUESTED_SERVER_NAME%", "abc - - -"),
    (
      "%START_TIME(%s.%3f)% %START_TIME(%s.%6f)% %START_TIME(%s.%9f)%",
      "1795414120.765 1795414120.765432 1795414120.765432198"
    ),
    ("%START_TIME()% %EMIT_TIME%", "2026-11-23T06:08:40.765Z 2026-11-23T06:08:40.777Z"),
    ("%START_TIME(%d/%b/%Y:%H:%M:%S %z)%", "23/Nov/2026:06:08:40 +0000"),
  ])
  func operators(format: String, expected: String) throws {
    #expect(try text(format, Sample.record(), fields) == expected)
  }

  @Test func aRewrittenPathShowsBothWays() throws {
    var record = Sample.record()
    record.rewrittenPath = Bytes("/items")
    #expect(
      try text("%REQ(:PATH)% %REQ(X-ENVOY-ORIGINAL-PATH)% %PATH(NQ:PATH)% %PATH(NQ:ORIG)%", record)
        == "/items /shop/items?id=7&sort=up /items /shop/items")
  }

  @Test func aDirectPeerMayDiffer() throws {
    var record = Sample.record()
    record.downstreamDirectRemoteAddress = Bytes("10.9.9.9:1")
    #expect(
      try text("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", record) == "192.0.2.7:51000 10.9.9.9:1"
    )
  }

  @Test(arguments: [
    ("unix:/run/a:7.sock", "unix:/run/a:7.sock", "-"), ("2001:db8::1", "2001:db8::1", "-"), ("[::1]:80", "::1", "80"),
    ("[::1]", "::1", "-"), ("10.0.0.1", "10.0.0.1", "-"), ("a.example:99999999999999999999", "a.example", "-"),
    (":80", ":80", "-"), ("::", "::", "-"),
  ])
  func addressesArePutApart(address: String, host: String, port: String) throws {
    let owned = OwnedBytes(address)
    var record = Sample.record()
    record.upstreamHost = owned.bytes
    #expect(
      try text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%", record) == "\(host) \(port)")
  }

  @Test func environmentAndHostAreReadOnce() throws {
    setenv("WEFT_TEST_ZONE", "eu \"1\"", 1)
    #expect(try text("%ENVIRONMENT(WEFT_TEST_ZONE)% %ENVIRONMENT(WEFT_TEST_NONE)%", Sample.record()) == "eu \"1\" -")
    #expect(try text("%HOSTNAME%", Sample.record()).isEmpty == false)
  }

  // MARK: Flags

  @Test func flagsArePrintedShortAndLong() throws {
    var record = Sample.record()
    record.flags = [.upstreamConnectionFailure, .upstreamRetryLimitExceeded, .delayInjected]
    #expect(
      try text("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", record)
        == "UF,DI,URX UpstreamConnectionFailure,DelayInjected,UpstreamRetryLimitExceeded")
    record.flags = ResponseFlags(rawValue: 1 << 31)
    #expect(try text("%RESPONSE_FLAGS%|", record) == "|")
  }

  @Test func everyFlagHasNamesOfItsOwn() {
    #expect(Set(ResponseFlags.names.map { "\($0.short)" }).count == ResponseFlags.names.count)
    #expect(Set(ResponseFlags.names.map { "\($0.long)" }).count == ResponseFlags.names.count)
    #expect(ResponseFlags.filterError.rawValue == 1 << UInt32(ResponseFlags.names.count - 1))
    for (short, flag) in [
      ("UH", ResponseFlags.noHealthyUpstream), ("UF", .upstreamConnectionFailure), ("UO", .upstreamOverflow),
      ("NR", .noRouteFound), ("URX", .upstreamRetryLimitExceeded), ("UT", .upstreamRequestTimeout),
      ("LR", .localReset), ("UR", .upstreamRemoteReset), ("UC", .upstreamConnectionTermination),
      ("DC", .downstreamConnectionTermination), ("RL", .rateLimited), ("DI", .delayInjected), ("FI", .faultInjected),
      ("DPE", .downstreamProtocolError), ("UMSDR", .upstreamMaxStreamDurationReached), ("SI", .streamIdleTimeout),
      ("IH", .invalidRequestHeaders), ("DT", .durationTimeout), ("UPE", .upstreamProtocolError),
      ("NC", .noServiceFound), ("OM", .overloadManager), ("LH", .failedLocalHealthCheck), ("DF", .dnsFailure),
      ("FE", .filterError),
    ] {
      #expect(ResponseFlags(short: short) == flag)
    }
    #expect(ResponseFlags(short: "XX") == nil)
  }

  // MARK: Hostile bytes

  @Test func aLineCannotBeForged() throws {
    let hostile = TestFields(request: [
      "user-agent": Array("x\" 200\r\n[2026-01-01T00:00:00.000Z] \"GET /admin\u{1b}[2J\u{0}\\".utf8) + [
        0xff, 0x7f, 0xc2, 0x85,
      ]
    ])
    let line = try text("\"%REQ(USER-AGENT)%\" end", Sample.record(), hostile)
    #expect(
      line == #""x\" 200\x0d\x0a[2026-01-01T00:00:00.000Z] \"GET /admin\x1b[2J\x00\\\xff\x7f\xc2\x85" end"#)
  }

  /// Every byte at every place of a word, so that the eight-at-a-time search is tried as well.
  @Test func everyByteIsEscapedOrPlain() throws {
    let format = try AccessLogFormat(text: "%REQ(x)%")
    for byte in UInt8.min...UInt8.max {
      for place in 0..<17 {
        var value = [UInt8](repeating: 0x61, count: 17)
        value[place] = byte
        let out = lineBytes(format, Sample.record(), TestFields(request: ["x": value]))
        #expect(out.dropLast().allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "byte \(byte) at \(place)")
        #expect(out.filter { $0 == 0x61 }.count >= 16)
        let plain = byte >= 0x20 && byte < 0x7f && byte != 0x22 && byte != 0x5c
        #expect((out.count == 18) == plain, "byte \(byte) at \(place)")
      }
    }
  }

  @Test func longValuesAreCut() throws {
    let long = TestFields(request: ["x": [UInt8](repeating: 0x61, count: 30_000)])
    #expect(try text("%REQ(x)%", Sample.record(), long).count == 4096)
    #expect(try text("%REQ(x):16384%", Sample.record(), long).count == 16384)
  }
}
