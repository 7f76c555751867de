import Testing

/// What is sent to have two programs along the way read different messages. Each either is refused, or reaches the
/// backend as exactly the requests that the client is answered for.
@Suite("Request smuggling", .endToEnd)
struct SmugglingTests {
  private static let inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

  /// Heads that frame their body twice, or seem to. All are refused.
  static let heads: [(name: String, lines: String)] = [
    ("CL.TE", "Content-Length: 43\r\nTransfer-Encoding: chunked"),
    ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4"),
    ("TE.CL with a comma", "Transfer-Encoding: chunked,\r\nContent-Length: 4"),
    ("TE.TE with an unknown coding", "Transfer-Encoding: xchunked"),
    ("TE.TE in two fields", "Transfer-Encoding: chunked\r\nTransfer-encoding: cow"),
    ("TE.TE with identity first", "Transfer-Encoding: identity, chunked"),
    ("TE.TE with identity last", "Transfer-Encoding: chunked, identity"),
    ("a space before the colon", "Transfer-Encoding : chunked"),
    ("a tab before the colon", "Transfer-Encoding\t: chunked"),
    ("a line break before the colon", "Transfer-Encoding\r\n : chunked"),
    ("a folded line", "X: x\r\n Transfer-Encoding: chunked"),
    ("a bare LF before it", "X: x\nTransfer-Encoding: chunked"),
    ("a bare CR before it", "X: x\rTransfer-Encoding: chunked"),
    ("a NUL before it", "\0Transfer-Encoding: chunked"),
    ("a space before the name", " Transfer-Encoding: chunked"),
    ("a vertical tab", "Transfer-Encoding: \u{0b}chunked"),
    ("a form feed behind it", "Transfer-Encoding: chunked\u{0c}"),
    ("a NUL behind it", "Transfer-Encoding: chunked\0"),
    ("a parameter", "Transfer-Encoding: chunked;q=0.5"),
    ("quotation marks", "Transfer-Encoding: \"chunked\""),
    ("single quotation marks", "Transfer-Encoding: 'chunked'"),
    ("an empty element first", "Transfer-Encoding: , chunked"),
    ("an empty element last", "Transfer-Encoding: chunked, "),
    ("half the word", "Transfer-Encoding: chunk"),
    ("two words", "Transfer-Encoding: chunked chunked"),
    ("a byte beyond ASCII in the name", "Transfer-Encod\u{131}ng: chunked"),
    ("a Kelvin sign in the value", "Transfer-Encoding: chun\u{212a}ed"),
    ("a length with a sign", "Content-Length: +43"),
    ("a length with an underscore", "Content-Length: 4_3"),
    ("a length with a comma", "Content-Length: 43,"),
    ("a length with a list", "Content-Length: 0, 43"),
    ("two lengths", "Content-Length: 0\r\nContent-Length: 43"),
    ("two equal lengths in other letters", "Content-Length: 43\r\ncontent-length: 43"),
    ("a length and a space before the colon", "Content-Length: 0\r\nContent-Length : 43"),
    ("a length with a vertical tab", "Content-Length: \u{0b}43"),
    ("a length in full-width digits", "Content-Length: \u{ff14}\u{ff13}"),
    ("a length beyond 64 bits", "Content-Length: 18446744073709551659"),
    ("a length beyond 63 bits", "Content-Length: 9223372036854775851"),
    ("an odd expectation", "Content-Length: 43\r\nExpect: y 100-continue"),
    ("a second Host", "Content-Length: 43\r\nHost: b"),
    ("a Host in a folded line", "Content-Length: 43\r\nX: 1\r\n\tHost: b"),
  ]

  @Test("heads that could be read in two ways are refused whole")
  func ambiguousHeads() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for (name, lines) in Self.heads {
      for body in ["0\r\n\r\n" + Self.inner, "23\r\n" + Self.inner + "\r\n0\r\n\r\n"] {
        let client = try scene.client()
        try client.send("POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n\(body)")
        do {
          let response = try client.response()
          #expect([400, 417, 501].contains(response.status), "\(name): \(response.status)")
          #expect(response["connection"] == "close", "\(name)")
          #expect(try client.ends(), "\(name): one answer")
        } catch { Issue.record("\(name): \(error)") }
      }
    }
    #expect(scene.backend.connections.isEmpty, "\(String(decoding: scene.backend.received, as: UTF8.self))")
  }

  /// Chunked bodies that some programs end at another place. All are refused, and nobody sees a whole request.
  static let chunks: [(name: String, body: String)] = [
    ("a bare LF in an extension, TERM.EXT", "2;\nxx\r\n2b\r\n0\r\n\r\n"),
    ("a bare CR in an extension", "2;\rxx\r\n2b\r\n0\r\n\r\n"),
    ("a bare LF behind a size", "2\nxx\r\n0\r\n\r\n"),
    ("a bare CR behind a size", "2\rxx\r\n0\r\n\r\n"),
    ("CR CR LF behind a size", "2\r\r\nxx\r\n0\r\n\r\n"),
    ("bytes beyond the size, SPILL", "5\r\nAAAAAXX2\r\n45\r\n0\r\n\r\n"),
    ("no line break behind the data", "5\r\nAAAAA0\r\n\r\n"),
    ("LF alone behind the data", "5\r\nAAAAA\n0\r\n\r\n"),
    ("CR alone behind the data", "5\r\nAAAAA\r0\r\n\r\n"),
    ("a size of 17 digits", "00000000000000002\r\nxx\r\n0\r\n\r\n"),
    ("a size of 64 bits and more", "10000000000000002\r\nxx\r\n0\r\n\r\n"),
    ("a size that is negative as a signed number", "fffffffffffffffe\r\nxx\r\n0\r\n\r\n"),
    ("a size with a prefix", "0x2\r\nxx\r\n0\r\n\r\n"),
    ("a size with an underscore", "1_0\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n"),
    ("a size with a space within", "1 0\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n"),
    ("a size behind a tab", "\t2\r\nxx\r\n0\r\n\r\n"),
    ("a size in full-width digits", "\u{ff12}\r\nxx\r\n0\r\n\r\n"),
    ("an unfinished quotation in an extension", "2;a=\"\r\nxx\r\n0\r\n\r\n"),
    ("a line break in a quotation", "2;a=\"\r\n\"\r\nxx\r\n0\r\n\r\n"),
    ("NUL behind a size", "2\0\r\nxx\r\n0\r\n\r\n"),
    ("a last chunk with a bare LF", "2\r\nxx\r\n0\n\r\n"),
    ("an end of trailers with a bare LF", "2\r\nxx\r\n0\r\nX: 1\r\n\n"),
    ("a folded trailer", "2\r\nxx\r\n0\r\nX: 1\r\n Y\r\n\r\n"),
    ("a Host as a trailer", "2\r\nxx\r\n0\r\nHost: evil\r\n\r\n"),
    ("a length as a trailer", "2\r\nxx\r\n0\r\nContent-Length: 43\r\n\r\n"),
  ]

  @Test("chunks that could end at two places end the connection")
  func ambiguousChunks() throws {
    let whole = Locked(0)
    let backend = try Backend { connection, request in
      try connection.read(&request)
      whole.withLock { $0 += 1 }
      try connection.respond(to: request)
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    for (name, body) in Self.chunks {
      let client = try scene.client()
      do {
        try client.send(
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body + Self.inner)
        #expect(try client.response().status == 400, "\(name)")
        #expect(try client.ends(), "\(name): one answer")
      } catch { Issue.record("\(name): \(error)") }
    }
    #expect(whole.current == 0)
    #expect(!String(decoding: backend.received, as: UTF8.self).contains("GET /smuggled"))
  }

  /// Odd but in order: the backend gets exactly one request whose body is `data`, and then the next.
  static let legal: [(name: String, request: String, data: String)] = [
    (
      "a tab for a space", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "abc"
    ),
    (
      "white space behind", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked \t\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "abc"
    ),
    ("other letters", "POST / HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING:CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"),
    (
      "extensions",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a;b=c;d=\"0\\\"; x\"\r\nabc\r\n0;e\r\n\r\n",
      "abc"
    ),
    (
      "leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n0000\r\n\r\n",
      "abc"
    ),
    (
      "a body that looks like a request",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(inner.utf8.count + 4)\r\n\r\n" + inner + "\r\n\r\n",
      inner + "\r\n\r\n"
    ),
    (
      "a GET with a body, CL.0", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \(inner.utf8.count)\r\n\r\n" + inner,
      inner
    ),
    (
      "a GET with a chunked body, TE.0",
      "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n23\r\n" + inner + "\r\n0\r\n\r\n", inner
    ),
    ("a length with zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", "abc"),
    (
      "a length that Connection names",
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 3\r\n\r\nabc", "abc"
    ),
    (
      "a coding that Connection names",
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "abc"
    ),
    (
      "names with an underscore",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", "abc"
    ),
    (
      "an upgrade with a body",
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc", "abc"
    ),
  ]

  @Test("what is odd but in order is one request for everybody")
  func agreed() throws {
    let backend = try Backend { connection, request in
      try connection.read(&request)
      try connection.respond(to: request, body: request.body)
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    for (name, request, data) in Self.legal {
      let before = backend.requests.count
      let client = try scene.client()
      do {
        try client.send(request + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.response().text == data, "\(name)")
        #expect(try client.response().status == 200, "\(name)")
      } catch { Issue.record("\(name): \(error)") }
      #expect(backend.requests.dropFirst(before).map(\.target) == ["/", "/next"], "\(name)")
      #expect(backend.requests.dropFirst(before).first?.text == data, "\(name)")
    }
  }

  /// Who a request is for.
  static let hosts: [(name: String, head: String, host: String?)] = [
    ("a target for another host than Host", "GET http://real.example/x HTTP/1.1\r\nHost: evil.example", "real.example"),
    ("user information in the target", "GET http://real.example@evil.example/ HTTP/1.1\r\nHost: real.example", nil),
    ("a backslash in the target's host", "GET http://real.example\\evil.example/ HTTP/1.1\r\nHost: real.example", nil),
    ("an absolute target and two Hosts", "GET http://real.example/ HTTP/1.1\r\nHost: a\r\nHost: b", nil),
    ("an absolute target and no Host", "GET http://real.example/ HTTP/1.1", nil),
    ("two slashes first, a path and no host", "GET //evil.example/x HTTP/1.1\r\nHost: real.example", "real.example"),
    ("another scheme", "GET gopher://real.example/ HTTP/1.1\r\nHost: real.example", nil),
    ("a scheme without slashes", "GET http:real.example HTTP/1.1\r\nHost: real.example", nil),
    ("a Host with a comma", "GET / HTTP/1.1\r\nHost: real.example, evil.example", nil),
    ("a Host with a space", "GET / HTTP/1.1\r\nHost: real.example evil.example", nil),
    ("a Host with a question mark", "GET / HTTP/1.1\r\nHost: real.example?x", nil),
    ("a Host with a fragment", "GET / HTTP/1.1\r\nHost: real.example#x", nil),
    ("a Host with percent-encoding", "GET / HTTP/1.1\r\nHost: real%2eexample", nil),
    ("a Host with a port and a word", "GET / HTTP/1.1\r\nHost: real.example:80evil", nil),
    ("a Host with bytes beyond ASCII", "GET / HTTP/1.1\r\nHost: r\u{e9}al.example", nil),
    ("a Host with a space before its colon", "GET / HTTP/1.1\r\nHost : real.example", nil),
    ("a Host behind a folded line", "GET / HTTP/1.1\r\nX: 1\r\n Host: evil\r\nHost: real.example", nil),
  ]

  @Test("there is one host, the same for route and backend, or none and a refusal")
  func oneHost() throws {
    let scene = try Scene(route: "hostnames: [real.example]")
    defer { scene.stop() }
    for (name, head, host) in Self.hosts {
      let before = scene.backend.requests.count
      let response = try scene.client().exchange(head + "\r\n\r\n")
      if let host {
        #expect(response.status == 200, "\(name)")
        #expect(scene.backend.requests.last?.values("host") == [host], "\(name)")
        #expect(scene.backend.requests.last?.target.hasPrefix("/") ?? false, "\(name)")
      } else {
        #expect(response.status == 400, "\(name): \(response.status)")
        #expect(scene.backend.requests.count == before, "\(name)")
      }
    }
  }

  @Test("line breaks that a path encodes stay encoded, in rewrites, redirects and fields as well")
  func encodedLineBreaks() throws {
    let modifier = """
      {type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: echo}}
      """
    let scene = try Scene(
      rules: """
        [{matches: [{path: {type: PathPrefix, value: /old}}], filters: [{type: RequestRedirect, requestRedirect: \
        {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]}, \
        {matches: [{path: {type: PathPrefix, value: /in}}], filters: [\(modifier), {type: URLRewrite, urlRewrite: \
        {path: {type: ReplacePrefixMatch, replacePrefixMatch: /out}}}], \
        backendRefs: [\(Resources.backendRef("backend"))]}]
        """,
      more: [
        Resources.filter(
          "echo", type: "header-modifier",
          config: """
            request: {set: [{name: x-path, value: "%REQ(:PATH)%"}, {name: x-q, value: "%REQ(x-in)%"}]}, \
            response: {set: [{name: x-back, value: "%REQ(:PATH)%"}]}
            """)
      ])
    defer { scene.stop() }
    let odd = "/a%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a?q=%0d%0aX:%201"
    let moved = try scene.get("/old" + odd)
    #expect(moved["location"]?.hasSuffix("/new" + odd) ?? false, "\(moved.head)")
    #expect(moved["set-cookie"] == nil)
    let passed = try scene.get("/in" + odd, "x-in: a\u{85}b")
    #expect(passed.status == 200 && passed["set-cookie"] == nil)
    #expect(scene.backend.requests[0].target == "/out" + odd)
    #expect(scene.backend.requests[0].fieldNames.filter { $0 == "set-cookie" || $0 == "x" }.isEmpty)
  }

  @Test("what stands behind a refused or closing request is never taken for the next one")
  func behind() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for head in [
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
      "GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\r\n\r\n",
      "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n",
    ] {
      let client = try scene.client()
      try client.send(head + Self.inner)
      _ = try client.response()
      #expect(try client.ends(), "\(head.debugDescription)")
    }
    #expect(!scene.backend.requests.contains { $0.path == "/smuggled" })
  }
}
