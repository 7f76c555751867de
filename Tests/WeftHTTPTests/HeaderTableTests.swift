import Testing
import WeftHTTP
import WeftIO

@Suite struct HeaderTableTests {
  private func parsed(_ text: String, _ body: (inout MessageHead) -> Void) {
    var head = MessageHead()
    withExactCopy(bytes(text)) { p, n in
      let outcome = HTTP1Parser.parseRequest(p, n, into: &head, limits: HTTPLimits())
      #expect(outcome == .complete(headLength: n))
      body(&head)
    }
  }

  private func written(_ table: borrowing HeaderTable, startLine: Int = 0) -> String {
    var space = [UInt8](repeating: 0, count: 256 * 1024)
    return space.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return "" }
      var w = ByteWriter(base, buffer.count)
      table.serialise(startLine: startLine, into: &w)
      return w.overflow ? "overflow" : latin1(w.bytes)
    }
  }

  /// A value that lies in the table's own arena may be added again, also when that makes the arena move.
  @Test(arguments: [1, 7, 50, 100, 200, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254])
  func valuesOfTheTableItselfMayBeAdded(_ length: Int) {
    var table = HeaderTable()
    let value = String(String(repeating: "0123456789", count: 26).prefix(length))
    _ = withExactCopy(bytes(value)) { p, n in table.add(HeaderName("x"), Bytes(p, n)) }
    for _ in 0..<100 {
      let borrowed = table.value(at: 0)
      table.add(HeaderName("x"), borrowed)
    }
    for i in 0..<table.count { #expect(latin1(table.value(at: i)) == value) }
    #expect(table.hasOverflowed == false)
  }

  @Test func limitsAreSaidAndKept() {
    var table = HeaderTable()
    for i in 0..<(HeaderTable.fieldLimit + 10) {
      let isAdded = table.add(HeaderName("a"), Bytes("b"))
      #expect(isAdded == (i < HeaderTable.fieldLimit))
    }
    #expect(table.count == HeaderTable.fieldLimit)
    #expect(table.hasOverflowed == true)
    table.reset()
    #expect(table.hasOverflowed == false)
    let long = [UInt8](repeating: 0x61, count: HeaderTable.arenaLimit - 10)
    let added = withExactCopy(long) { p, n in
      [table.add(HeaderName("a"), Bytes(p, n)), table.add(HeaderName("a"), Bytes(p, n))]
    }
    #expect(added == [true, false])
    #expect(table.hasOverflowed == true)
    // What was there before is whole, and nothing is there in part.
    #expect(written(table) == "a: " + String(repeating: "a", count: long.count) + "\r\n")
  }

  @Test func keptWireOutlivesTheBuffer() {
    var head = MessageHead()
    let text = bytes("GET http://b/c HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n")
    withExactCopy(text) { p, n in
      _ = HTTP1Parser.parseRequest(p, n, into: &head, limits: HTTPLimits())
      head.headers.keepWire(length: head.wireLength)
      head.headers.keepWire(length: head.wireLength)
    }
    #expect(latin1(head.path) == "/c")
    #expect(written(head.headers) == "Host: b\r\nA: b\r\n")
    head.headers.dropKept()
  }

  @Test func namesFoldCase() {
    parsed("GET / HTTP/1.1\r\nHOST: a\r\nX-Thing: 1\r\nx-thing: 2\r\n\r\n") { head in
      #expect(head.headers.value(.host).map(latin1) == "a")
      #expect(head.headers.value(HeaderName("x-thing")).map(latin1) == "1")
      let count = head.headers.remove(HeaderName("x-thing"))
      #expect(count == 2)
      #expect(head.headers.value(HeaderName("x-thing")) == nil)
      #expect(written(head.headers) == "HOST: a\r\n")
    }
  }

  @Test func literalNamesAreAddedUntilALimitIsReached() {
    var table = HeaderTable()
    let value = String(repeating: "v", count: 1000)
    var added = 0
    withExactCopy(bytes(value)) { p, n in
      while table.add(literal: "x-request-id", Bytes(p, n), known: .xRequestID) { added += 1 }
    }
    #expect(added == HeaderTable.arenaLimit / (12 + 2 + 1000 + 2))
    #expect(table.hasOverflowed == true)
    #expect(written(table) == String(repeating: "x-request-id: \(value)\r\n", count: added))
    #expect(table.value(HeaderName("x-request-id")).map(latin1) == value)
    let removed = table.remove(.xRequestID)
    #expect(removed == added)
    #expect(table.find(.xRequestID) == nil)
  }

  /// The start line goes out together with the lines that follow it, as long as nobody has touched them.
  @Test(arguments: [[], [0], [1], [2], [0, 1, 2]])
  func startLineIsWrittenWithTheFields(_ removed: [Int]) {
    parsed("GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\nC: d\r\n\r\n") { head in
      for i in removed { head.headers.remove(at: i) }
      head.headers.add(HeaderName("e"), Bytes("f"))
      head.headers.add(HeaderName("g"), Bytes("h"))
      _ = head.setTarget(Bytes("/other"))
      head.headers.add(HeaderName("i"), Bytes("j"))
      let lines = ["Host: h\r\n", "A: b\r\n", "C: d\r\n"].enumerated().filter { !removed.contains($0.offset) }
      let expected = lines.map(\.element).joined() + "e: f\r\ng: h\r\ni: j\r\n"
      #expect(written(head.headers) == expected)
      #expect(written(head.headers, startLine: 17) == "GET /a HTTP/1.1\r\n" + expected)
    }
  }

  /// Random changes, against a plain array.
  @Test(arguments: 0..<20)
  func behavesLikeAList(_ seed: Int) {
    var random = SmallRandom(seed: UInt64(seed))
    let names = ["host", "a", "x-request-id", "content-type", "b-c"]
    var model: [(String, String)] = [("Host", "h"), ("A", "one"), ("a", "two"), ("Content-Type", "t"), ("B-C", "")]
    let start = "GET / HTTP/1.1\r\nHost: h\r\nA:one\r\na: two\r\nContent-Type:  t\r\nB-C: \r\n\r\n"
    parsed(start) { head in
      for step in 0..<60 {
        let name = names[random.below(names.count)]
        guard let key = HeaderName(name) else { continue }
        let value = String(repeating: "v", count: random.below(60)) + "\(step)"
        switch random.below(5) {
        case 0:
          head.headers.remove(key)
          model.removeAll { $0.0.lowercased() == name }
        case 1:
          withExactCopy(bytes(value)) { p, n in _ = head.headers.set(key, Bytes(p, n)) }
          model.removeAll { $0.0.lowercased() == name }
          model.append((name, value))
        case 2: head.headers.keepWire(length: head.wireLength)
        case 3:
          // Set to the value of another field, borrowed.
          guard let other = HeaderName(names[random.below(names.count)]), let borrowed = head.headers.value(other)
          else {
            continue
          }
          let text = latin1(borrowed)
          head.headers.set(key, borrowed)
          model.removeAll { $0.0.lowercased() == name }
          model.append((name, text))
        default:
          withExactCopy(bytes(value)) { p, n in _ = head.headers.add(key, Bytes(p, n)) }
          model.append((name, value))
        }
        let first = model.first { $0.0.lowercased() == name }?.1
        #expect(head.headers.value(key).map(latin1) == first)
      }
      #expect(written(head.headers) == model.map { "\($0.0): \($0.1)\r\n" }.joined())
      head.headers.dropKept()
    }
  }
}
