import Testing
import WeftFilter
import WeftHTTP
import WeftIO

@Suite struct FilterChainTests {
  @Test func requestsGoInOrderAndResponsesInReverse() throws {
    let (bench, journal, _) = probes(["a", "b"], [.request, .response, .log])
    let exchange = try bench.request()
    #expect(exchange.progress == .upstream)
    try exchange.respond(200)
    exchange.end()
    #expect(
      journal.entries == ["a.request", "b.request", "b.response(200)", "a.response(200)", "a.log", "b.log"])
  }

  @Test func aPhaseThatAFilterDoesNotNameIsNotCalled() throws {
    let (bench, journal, filters) = probes(["a", "b"], [])
    filters[1].wanted = .response
    bench.add(ProbeFilter("c", journal, .request), name: "c")
    let exchange = try bench.request("POST", "/", body: ["x"])
    try exchange.respond(204)
    #expect(journal.entries == ["c.request", "b.response(204)"])
  }

  @Test func aLocalAnswerIsSeenByTheFiltersBeforeItsMaker() throws {
    let (bench, journal, filters) = probes(["a", "b", "c"], [.request, .response])
    filters[1].request = { exchange in
      exchange.respond(403, body: Bytes("no"), details: "denied")
      return .respond
    }
    let exchange = try bench.request()
    #expect(exchange.progress == .answered)
    #expect(journal.entries == ["a.request", "b.request", "a.response(403)"])
    #expect(exchange.response?.status == 403)
    #expect(exchange.response?.text == "no")
    #expect(exchange.response?["content-length"] == "2")
    #expect(exchange.response?["content-type"] == "text/plain; charset=utf-8")
    #expect(exchange.details == "denied")
    #expect(exchange.upstreamRequest == nil)
    #expect(bench.metric("weft_filter_responses_total", ["b", "4xx"]) == 1)
    #expect(bench.metric("weft_filter_responses_total", ["a", "4xx"]) == nil)
  }

  @Test func aResponseCanBeReplacedByThoseWhoSeeIt() throws {
    let (bench, journal, filters) = probes(["a", "b", "c"], .response)
    filters[1].response = { exchange in
      exchange.respond(502, body: Bytes("replaced"))
      return .respond
    }
    let exchange = try bench.request()
    try exchange.respond(200, body: ["original"])
    #expect(journal.entries == ["c.response(200)", "b.response(200)", "a.response(502)"])
    #expect(exchange.response?.text == "replaced")
  }

  @Test func bodiesPassInPiecesThroughThoseWhoWatch() throws {
    let (bench, journal, filters) = probes(["a", "b"], [])
    filters[0].wanted = [.requestBody]
    filters[1].wanted = [.request, .response]
    filters[1].request = { exchange in
      exchange.watchRequestBody()
      return .next
    }
    filters[1].requestBody = { _, chunk in
      chunk.replace(with: Bytes("(B)"))
      return .next
    }
    filters[1].response = { exchange in
      exchange.watchResponseBody()
      return .next
    }
    let exchange = try bench.request("POST", "/", body: ["one", "two"])
    #expect(exchange.upstreamRequest?.pieces.map { String(decoding: $0, as: UTF8.self) } == ["(B)", "(B)"])
    try exchange.respond(200, body: ["x", "y"])
    #expect(exchange.response?.text == "xy")
    #expect(exchange.response?["transfer-encoding"] == "chunked")
    #expect(exchange.response?["content-length"] == nil)
    #expect(
      journal.entries == [
        "b.request", "a.requestBody(one)", "b.requestBody(one)", "a.requestBody(two|)", "b.requestBody(two|)",
        "b.response(200)", "b.responseBody(x)", "b.responseBody(y|)",
      ])
  }

  @Test func trailersReachTheirPhases() throws {
    let (bench, journal, _) = probes(["a"], [.requestTrailers, .responseTrailers])
    let exchange = try bench.request("POST", "/", body: ["x"], chunked: true, trailers: ["t: 1"])
    try exchange.respond(200, body: ["y"], chunked: true, trailers: ["u: 2", "v: 3"])
    #expect(journal.entries == ["a.requestTrailers(1)", "a.responseTrailers(2)"])
    #expect(exchange.upstreamRequest?.trailers.map(\.description) == ["t: 1"])
    #expect(exchange.response?.trailers.map(\.description) == ["u: 2", "v: 3"])
  }

  @Test func aBufferedBodyIsWholeBeforeLaterFilters() throws {
    let (bench, journal, filters) = probes(["a", "b"], .request)
    filters[0].request = { $0.bufferRequestBody(limit: 10) }
    filters[0].resumed = { exchange in
      #expect(exchange.requestBody.string == "onetwo")
      exchange.replaceRequestBody(with: Bytes("longer body"))
      return .next
    }
    let exchange = try bench.request("POST", "/", body: ["one", "two"])
    #expect(journal.entries == ["a.request", "a.resume(request)", "b.request"])
    #expect(exchange.upstreamRequest?.text == "longer body")
    #expect(exchange.upstreamRequest?["content-length"] == "11")
  }

  @Test func aBodyBeyondTheLimitIsRefused() throws {
    let (bench, _, filters) = probes(["a"], .request)
    filters[0].request = { $0.bufferRequestBody(limit: 5) }
    let exchange = try bench.request("POST", "/", body: ["one", "two"])
    #expect(exchange.response?.status == 413)
  }

  @Test func aBufferedResponseIsRewrittenBeforeItsHeadGoes() throws {
    let (bench, journal, filters) = probes(["a", "b"], .response)
    filters[1].response = { $0.bufferResponseBody(limit: 100) }
    filters[1].resumed = { exchange in
      exchange.replaceResponseBody(with: Bytes(exchange.responseBody.string == "xy" ? "z" : "?"))
      return .next
    }
    let exchange = try bench.request()
    try exchange.respond(200, body: ["x", "y"], chunked: true)
    #expect(journal.entries == ["b.response(200)", "b.resume(response)", "a.response(200)"])
    #expect(exchange.response?.text == "z")
    #expect(exchange.response?["content-length"] == "1")
  }

  @Test func suspendedExchangesGoOnWhenResumed() throws {
    let (bench, journal, filters) = probes(["a", "b"], .request)
    filters[0].request = { exchange in
      exchange.worker.resume(exchange.reference, afterMilliseconds: 50)
      return .suspend
    }
    let exchange = try bench.request()
    #expect(exchange.progress == .request)
    #expect(bench.worker.timerDelays == [50])
    bench.advance(milliseconds: 49)
    #expect(exchange.progress == .request)
    bench.advance(milliseconds: 1)
    #expect(exchange.progress == .upstream)
    #expect(journal.entries == ["a.request", "a.resume(request)", "b.request"])
  }

  @Test func aHeldPieceGoesOnToTheNextFilter() throws {
    let (bench, journal, filters) = probes(["a", "b"], .requestBody)
    filters[0].requestBody = { exchange, chunk in
      exchange.worker.resume(exchange.reference)
      return chunk.bytes.count > 0 ? .suspend : .next
    }
    filters[0].resumed = { exchange in
      exchange.replaceHeldChunk(with: Bytes("held"))
      return .next
    }
    let exchange = try bench.request("POST", "/", body: ["one", "two"])
    #expect(exchange.upstreamRequest?.text == "heldheld")
    #expect(
      journal.entries == [
        "a.requestBody(one)", "a.resume(requestBody)", "b.requestBody(held)", "a.requestBody(two|)",
        "a.resume(requestBody)", "b.requestBody(held|)",
      ])
  }

  @Test func stateIsGivenBackOnceWhenTheClientGoesAway() throws {
    let (bench, journal, filters) = probes(["a", "b"], [.request, .log])
    filters[0].request = { exchange in
      exchange.filterState = UnsafeMutableRawPointer(bitPattern: 8)
      exchange.worker.resume(exchange.reference, afterMilliseconds: 1000)
      return .suspend
    }
    var exchange: FilterBenchExchange? = try bench.request()
    let reference = exchange?.handle.reference
    exchange = nil
    #expect(journal.entries == ["a.request", "a.log", "b.log", "a.end"])
    bench.advance(milliseconds: 2000)
    #expect(journal.entries.count == 4)
    #expect(reference.flatMap { bench.worker.exchange($0) } == nil)
  }

  @Test func moreFiltersThanTheLimitAreLeftOut() {
    let filters = (0..<70).map { (name: "f\($0)", filter: HTTPFilter()) }
    #expect(FilterChain(filters).count == FilterChain.limit)
  }

  @Test func theLastFilterOfALongChainTakesPart() throws {
    let (bench, journal, _) = probes((0..<64).map { "f\($0)" }, [.request, .response, .requestBody, .responseBody])
    let exchange = try bench.request("POST", "/", body: ["x"])
    try exchange.respond(200, body: ["y"])
    #expect(journal.entries.count == 4 * 64)
    #expect(journal.entries[63] == "f63.request")
    #expect(journal.entries.last == "f0.responseBody(y|)")
  }
}
