import Testing
import WeftHTTP
import WeftIO

@Suite struct TargetTests {
  private func request(_ target: String, method: String = "GET", host: String = "Host: a\r\n") -> ParsedHead {
    parseRequest("\(method) \(target) HTTP/1.1\r\nX: y\r\n\(host)Z: z\r\n\r\n")
  }

  @Test func absoluteTargetReplacesHost() {
    let m = request("http://Other.example:81/p/q?r=s")
    #expect(m.target == "/p/q?r=s")
    #expect(m.path == "/p/q")
    #expect(m.query == "r=s")
    #expect(m.originalTarget == "http://Other.example:81/p/q?r=s")
    #expect(m.startLineLength == 0)
    #expect(m.written == "GET /p/q?r=s HTTP/1.1\r\nX: y\r\nHost: Other.example:81\r\nZ: z\r\n\r\n")
  }

  @Test(arguments: [
    ("http://b", "/", ""), ("http://b/", "/", ""), ("http://b?c=/d", "/", "c=/d"), ("HTTPS://b//c", "//c", ""),
    ("http://b/?", "/", ""),
  ])
  func absoluteTargetGivesPath(_ target: String, _ path: String, _ query: String) {
    let m = request(target)
    #expect(m.path == path)
    #expect(m.query == query)
    #expect(m.forwarded.contains("Host: b"))
  }

  @Test func absoluteTargetWithoutHostInHTTP10() {
    let m = parseRequest("GET http://b:80/c HTTP/1.0\r\nX: y\r\n\r\n")
    #expect(m.written == "GET /c HTTP/1.1\r\nX: y\r\nHost: b:80\r\n\r\n")
  }

  @Test func optionsOfAWholeServer() {
    #expect(request("http://b", method: "OPTIONS").target == "*")
    #expect(request("http://b/", method: "OPTIONS").target == "/")
    let m = request("*", method: "OPTIONS")
    #expect(m.target == "*")
    #expect(m.path == "*")
  }

  /// What the target names counts, whatever Host says (RFC 9110 9.3.6).
  @Test func connectKeepsItsAuthority() {
    let m = request("[::1]:443", method: "CONNECT")
    #expect(m.method == .connect)
    #expect(m.target == "[::1]:443")
    #expect(m.forwarded.contains("Host: [::1]:443") && !m.forwarded.contains("Host: a"))
  }

  /// Every byte, in the path and in the query, at each place of a word of eight.
  @Test func everyByteIsJudged() {
    let refusedInQuery = Set((0...0x20).map { UInt8($0) } + [0x23] + (0x7f...0xff).map { UInt8($0) })
    let refusedInPath = refusedInQuery.union([0x22, 0x3c, 0x3e, 0x5c])
    for place in 0..<9 {
      let padding = [UInt8](repeating: 0x61, count: place)
      for byte in UInt8.min...UInt8.max {
        for (prefix, refused) in [("/", refusedInPath), ("/b?", refusedInQuery)] {
          let target = bytes(prefix) + padding + [byte] + bytes("cdefghij")
          let m = parseRequest(bytes("GET ") + target + bytes(" HTTP/1.1\r\nHost: a\r\n\r\n"))
          #expect((m.headLength == nil) == refused.contains(byte), "\(byte) behind \(prefix), place \(place)")
          let isTarget = withExactCopy(target) { p, n in MessageHead.isTarget(Bytes(p, n)) }
          #expect(isTarget != refused.contains(byte))
        }
      }
    }
  }

  /// Every byte, in a field name and in a field value, at each place of a word of eight.
  @Test func everyFieldByteIsJudged() {
    for place in 0..<9 {
      let padding = String(repeating: "a", count: place)
      for byte in UInt8.min...UInt8.max where byte != 0x3a {
        let c = Character(Unicode.Scalar(byte))
        let isName =
          HeaderTable.isFieldName(Bytes("a")) && withExactCopy([byte]) { HeaderTable.isFieldName(Bytes($0, $1)) }
        let name = parseRequest("GET / HTTP/1.1\r\nHost: a\r\nx\(padding)\(c)bcdefghij: v\r\n\r\n")
        #expect((name.headLength != nil) == isName, "\(byte) in a name, place \(place)")
        let isValue = byte == 9 || (byte >= 0x20 && byte != 0x7f)
        let value = parseRequest("GET / HTTP/1.1\r\nHost: a\r\nx: \(padding)\(c)bcdefghij\r\n\r\n")
        #expect((value.headLength != nil) == isValue, "\(byte) in a value, place \(place)")
      }
    }
  }

  @Test func targetsThatFiltersMaySet() {
    #expect(MessageHead.isTarget(Bytes("/")))
    #expect(MessageHead.isTarget(Bytes("/a?b<c")))
    #expect(MessageHead.isTarget(Bytes("*")))
    for text in ["", "a", "*a", "/a b", "/a#b", "/a\r\n", "http://a/", "/<"] as [StaticString] {
      #expect(!MessageHead.isTarget(Bytes(text)), "\(text)")
    }
  }
}
