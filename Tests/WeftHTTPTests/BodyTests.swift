import Testing
import WeftHTTP
import WeftIO

@Suite struct BodyTests {
  private func closed(_ tracker: inout BodyTracker) -> Bool { tracker.close() }
  private func closed(_ decoder: inout BodyDecoder) -> Bool { decoder.close() }

  @Test func lengthsEndWhereTheyShould() {
    let input = bytes("helloGET /")
    for arrivals in [[10], [3, 10], [5, 10], [1, 2, 3, 4, 5, 6, 7, 10], [0, 0, 10]] {
      let tracked = TrackedBody(input, .length(5), arrivals: arrivals)
      #expect(tracked.end == .complete(length: 5))
      #expect(tracked.dataBytes == 5)
      let decoded = DecodedBody(input, .length(5), arrivals: arrivals)
      #expect(decoded.end == .complete(length: 5))
      #expect(decoded.data == bytes("hello"))
    }
    #expect(TrackedBody(input, .length(11), arrivals: [10]).end == .incomplete)
    #expect(BodyTracker(.length(0)).isDone)
    #expect(BodyTracker(.none).isDone)
    #expect(BodyDecoder(.length(0)).isDone)
    #expect(BodyDecoder(.none).isDone)
  }

  @Test func closeEndsOnlyWhatLastsUntilThen() {
    var tracker = BodyTracker(.untilClose)
    #expect(tracker.isUntilClose)
    #expect(withExactCopy(bytes("abc")) { tracker.consume($0, $1) } == 3)
    #expect(tracker.dataBytes == 3)
    #expect(closed(&tracker) == true)
    #expect(tracker.isDone)
    #expect(withExactCopy(bytes("abc")) { tracker.consume($0, $1) } == 0)

    for framing in [BodyFraming.length(4), .chunked] {
      var cut = BodyTracker(framing)
      _ = withExactCopy(bytes("3\r\n")) { cut.consume($0, $1) }
      #expect(closed(&cut) == false)
      #expect(!cut.isDone)
      var decoder = BodyDecoder(framing)
      #expect(closed(&decoder) == false)
    }
    var decoder = BodyDecoder(.untilClose)
    #expect(closed(&decoder) == true)
    #expect(decoder.isDone)
  }

  @Test func chunksAreDecoded() {
    let input = bytes("5;a=\"b\"\r\nhello\r\n7\r\n, world\r\n0\r\nA: b\r\nC:d\r\n\r\nrest")
    let decoded = DecodedBody(input, .chunked, arrivals: [input.count])
    #expect(decoded.data == bytes("hello, world"))
    #expect(decoded.trailers.map { "\($0.name): \($0.value)" } == ["A: b", "C: d"])
    #expect(decoded.trailers.map(\.irregular) == [false, true])
    #expect(decoded.writtenTrailers == "0\r\nA: b\r\nC: d\r\n\r\n")
  }

  /// Once a body is malformed it stays so, and no byte more is passed on.
  @Test func faultsLast() {
    var tracker = BodyTracker(.chunked)
    #expect(withExactCopy(bytes("x")) { tracker.consume($0, $1) } == -1)
    #expect(tracker.fault == .chunkSizeInvalid)
    #expect(withExactCopy(bytes("0\r\n\r\n")) { tracker.consume($0, $1) } == -1)
    #expect(!tracker.isDone)
    var decoder = BodyDecoder(.chunked)
    var table = HeaderTable()
    for text in ["x", "0\r\n\r\n"] {
      let step = withExactCopy(bytes(text)) { decoder.next($0, $1, trailers: &table) }
      #expect(step == .malformed(.chunkSizeInvalid))
    }
  }

  /// A filter may add trailers of its own while those of the sender still arrive in pieces.
  @Test func trailersStayWholeWhenOthersAreAdded() {
    var decoder = BodyDecoder(.chunked)
    var table = HeaderTable()
    var steps: [BodyDecoder.Step] = []
    for (i, piece) in ["0\r\nA", "bc: d", "e\r", "\nF: g\r\n\r\n"].enumerated() {
      steps.append(withExactCopy(bytes(piece)) { decoder.next($0, $1, trailers: &table) })
      if i < 3 { table.add(HeaderName("x-added"), Bytes(["0", "1", "2"][i])) }
    }
    #expect(steps.last == .end(consumed: 9))
    let rows = ParsedHead.rows(table).map { "\($0.name): \($0.value)" }
    #expect(rows == ["x-added: 0", "x-added: 1", "x-added: 2", "Abc: de", "F: g"])
  }

  @Test func fullTrailerTableIsAFault() {
    var decoder = BodyDecoder(.chunked)
    var table = HeaderTable()
    for _ in 0..<HeaderTable.fieldLimit { table.add(HeaderName("a"), Bytes("b")) }
    let step = withExactCopy(bytes("0\r\nA: b\r\n\r\n")) { decoder.next($0, $1, trailers: &table) }
    #expect(step == .malformed(.trailersTooLarge))
  }
}
