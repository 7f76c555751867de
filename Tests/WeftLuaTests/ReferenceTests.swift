import Foundation
import Testing
import WeftFilter
import WeftIO

@testable import WeftLua

/// The examples of docs/lua-api.md, run as they stand.
@Suite struct ReferenceTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let line: Int
    let script: String
    var testDescription: String { "docs/lua-api.md:\(line)" }
  }

  private static let page: String = {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    return (try? String(contentsOfFile: root + "/docs/lua-api.md", encoding: .utf8)) ?? ""
  }()

  static let examples: [Example] = {
    var found: [Example] = []
    var script: [Substring]?
    for (i, line) in page.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line == "```lua" {
        script = []
      } else if line == "```", let lines = script {
        found.append(Example(line: i - lines.count + 1, script: lines.joined(separator: "\n")))
        script = nil
      } else {
        script?.append(line)
      }
    }
    return found
  }()

  private static let options = """
    services: [users]
    settings: {header: x-tenant, tenant: shop, public_key: \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q=="}
    """

  @Test func thereAreExamples() { #expect(Self.examples.count > 20) }

  @Test(arguments: examples) func runs(_ example: Example) throws {
    let bench = try ScriptBench(example.script, options: Self.options)
    let exchange = try bench.request(
      "POST", "/cart?x=1",
      ["user-agent: curl", "x-tag: a", "x-tag: b", "cookie: session=1", "authorization: Basic eA==", "x-debug: 1"],
      body: ["hello", " world"], chunked: true, trailers: ["x-sum: 5"])
    bench.bench.advance(milliseconds: 10)
    while !bench.bench.worker.calls.isEmpty { bench.bench.worker.answerCall(200, ["x-user: anna"], body: "yes") }
    if exchange.progress == .upstream {
      try exchange.respond(404, ["etag: \"1\""], body: ["a secret", " page"], chunked: true, trailers: ["x-sum: 6"])
    }
    exchange.end()
    #expect(bench.errors == [])
    #expect(exchange.response != nil)
  }

  /// Every method that an object has is on the page.
  @Test(arguments: [
    "handle", "handle:headers()", "handle:body(true)", "handle:metadata()", "handle:route()", "handle:virtualHost()",
    "handle:filterContext()", "handle:streamInfo()", "handle:streamInfo():dynamicMetadata()",
    "handle:streamInfo():filterState()", "handle:connection()", "handle:connectionStreamInfo()", "handle:stats()",
    "handle:stats():counter('c')", "handle:stats():gauge('g')", "handle:stats():histogram('h')",
    "handle:importPublicKey('x', 1)",
  ])
  func everyMethodIsDescribed(_ object: String) throws {
    let methods = try #require(
      Self.methods.first { $0.key == object }?.value, "the test must know the methods of \(object)")
    for method in methods {
      #expect(try ScriptBench.value("type((\(object)).\(method))") == "function", "\(object):\(method)")
      #expect(Self.page.contains("`\(method)(") || Self.page.contains(":\(method)("), "\(method) is not on the page")
    }
  }

  private static let methods: [String: [String]] = [
    "handle": [
      "headers", "requestHeaders", "responseHeaders", "body", "bodyChunks", "trailers", "respond", "httpCall",
      "settings", "filterContext", "metadata", "route", "virtualHost", "streamInfo", "connection",
      "connectionStreamInfo", "setUpstreamOverrideHost", "clearRouteCache", "importPublicKey", "verifySignature",
      "base64Escape", "base64Decode", "timestamp", "timestampString", "stats", "sleep", "logTrace", "logDebug",
      "logInfo", "logWarn", "logErr", "logCritical",
    ],
    "handle:headers()": [
      "add", "get", "getAtIndex", "getNumValues", "remove", "replace", "pairs", "setHttp1ReasonPhrase", "logInfo",
    ],
    "handle:body(true)": ["length", "getBytes", "setBytes", "logInfo"],
    "handle:metadata()": ["get", "pairs", "logInfo"],
    "handle:route()": ["metadata", "logInfo"],
    "handle:virtualHost()": ["metadata", "logInfo"],
    "handle:filterContext()": ["get", "pairs", "logInfo"],
    "handle:streamInfo()": [
      "protocol", "routeName", "virtualClusterName", "downstreamLocalAddress", "downstreamDirectLocalAddress",
      "downstreamRemoteAddress", "downstreamDirectRemoteAddress", "requestedServerName", "downstreamSslConnection",
      "dynamicMetadata", "dynamicTypedMetadata", "filterState", "drainConnectionUponCompletion", "serviceName",
      "upstreamAddress", "attemptCount", "responseCodeDetails", "responseFlags", "logInfo",
    ],
    "handle:streamInfo():dynamicMetadata()": ["get", "set", "pairs", "logInfo"],
    "handle:streamInfo():filterState()": ["get", "logInfo"],
    "handle:connection()": ["ssl", "logInfo"],
    "handle:connectionStreamInfo()": ["dynamicMetadata", "dynamicTypedMetadata", "logInfo"],
    "handle:stats()": ["counter", "gauge", "histogram", "logInfo"],
    "handle:stats():counter('c')": ["inc", "add", "value", "logInfo"],
    "handle:stats():gauge('g')": ["inc", "dec", "add", "sub", "set", "value", "logInfo"],
    "handle:stats():histogram('h')": ["recordValue", "logInfo"],
    "handle:importPublicKey('x', 1)": ["get", "logInfo"],
  ]

  /// A connection with TLS has the object, whose every method answers.
  @Test func tls() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local tls = handle:connection():ssl()
        assert(tls == handle:streamInfo():downstreamSslConnection())
        local found = {}
        for _, name in ipairs({
          "peerCertificatePresented", "peerCertificateValidated", "uriSanLocalCertificate",
          "sha256PeerCertificateDigest", "serialNumberPeerCertificate", "issuerPeerCertificate",
          "subjectPeerCertificate", "uriSanPeerCertificate", "subjectLocalCertificate",
          "urlEncodedPemEncodedPeerCertificate", "urlEncodedPemEncodedPeerCertificateChain", "dnsSansPeerCertificate",
          "dnsSansLocalCertificate", "oidsPeerCertificate", "oidsLocalCertificate", "validFromPeerCertificate",
          "expirationPeerCertificate", "sessionId", "ciphersuiteId", "ciphersuiteString", "tlsVersion",
          "parsedSubjectPeerCertificate",
        }) do
          local value = tls[name](tls)
          found[#found + 1] = type(value) == "table" and "{" .. #value .. "}" or "[" .. tostring(value) .. "]"
        end
        handle:headers():add("x-value", table.concat(found))
      end
      """)
    let exchange = try bench.request { $0.isTLS = true }
    #expect(bench.errors == [])
    #expect(
      exchange.upstreamRequest?["x-value"]
        == "[false][false]{0}[][][][]{0}[][][]{0}{0}{0}{0}[0][0][][0xffff][TLS_AES_128_GCM_SHA256][TLSv1.3][nil]")
  }

  @Test func metrics() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:stats():counter("seen"):add(2)
        handle:stats():gauge("level"):set(7)
        handle:stats():histogram("size", "bytes"):recordValue(30)
        for i = 1, 300 do
          if not pcall(function() handle:stats():counter("c" .. i) end) then
            handle:headers():add("x-value", i)
            break
          end
        end
        assert(not pcall(function() handle:stats():counter(("x"):rep(129)) end))
      end
      """)
    let exchange = try bench.request()
    #expect(exchange.upstreamRequest?["x-value"] == "254")
    #expect(bench.bench.metric("weft_lua_script_events_total", ["script", "seen"]) == 2)
    #expect(bench.bench.metric("weft_lua_script_level", ["script", "level"]) == 7)
  }

  /// What was written for LuaJIT.
  @Test(arguments: [
    ("bit.band(0xff, 0x0f, 7)", "7"), ("bit.bor(1, 2, 4)", "7"), ("bit.bxor(5, 3)", "6"), ("bit.bnot(0)", "-1"),
    ("bit.lshift(1, 33)", "2"), ("bit.rshift(-1, 28)", "15"), ("bit.arshift(-8, 1)", "-4"),
    ("bit.rol(1, 31)", "-2147483648"),
    ("bit.ror(1, 1)", "-2147483648"), ("bit.tobit(2^32 + 5)", "5"), ("bit.tobit(0/0)", "0"),
    ("bit.bswap(1)", "16777216"),
    ("bit.tohex(255, 2)", "ff"), ("bit.tohex(0xabcd, -4)", "ABCD"), ("bit.tohex(1, 0)", ""),
    ("bit.tohex(1, 99)", "00000001"),
    ("math.pow(2, 10)", "1024.0"), ("table.getn({1, 2})", "2"), ("table.maxn({[3] = 1, [1.5] = 1})", "3"),
    ("table.maxn({})", "0"), ("string.format('%d %s %%d %5.1f', 7.9, 'x', 2.55)", "7 x %d   2.5"),
    ("string.format('%d', -7.9)", "-7"), ("('%x'):format(255.5)", "ff"), ("string.format('%q', 'a')", "\"a\""),
    ("pcall(string.format, '%d', 'x')", "false"), ("pcall(string.format, '%d', 1e300)", "false"),
    ("pcall(string.format, '%')", "false"), ("string.format('%5d|%-5d|', 1.5, 2.5)", "    1|2    |"),
  ])
  func compatibility(_ expression: String, _ expected: String) throws {
    #expect(try ScriptBench.value("(\(expression))") == expected)
  }
}
