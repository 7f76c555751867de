import Testing
import WeftFilter
import WeftFilters

@Suite struct FaultTests {
  @Test func requestsAreDelayed() throws {
    let bench = try bench(Fault.self, "delay: {fixedDelay: 200ms}")
    let exchange = try bench.request()
    #expect(exchange.progress == .request)
    bench.advance(milliseconds: 199)
    #expect(exchange.progress == .request)
    bench.advance(milliseconds: 1)
    #expect(exchange.progress == .upstream)
    #expect(exchange.flags == .delayInjected)
    #expect(bench.metric("weft_filter_faults_total", ["fault", "delay"]) == 1)
  }

  @Test func requestsAreAborted() throws {
    let bench = try bench(Fault.self, "abort: {httpStatus: 418}")
    let exchange = try bench.request()
    #expect(exchange.response?.status == 418)
    #expect(exchange.response?.text == "fault injected\n")
    #expect(exchange.flags == .faultInjected)
    #expect(exchange.details == "fault_injected")
    #expect(bench.metric("weft_filter_faults_total", ["fault", "abort"]) == 1)
  }

  @Test func firstTheDelayThenTheAbort() throws {
    let bench = try bench(Fault.self, "delay: {fixedDelay: 1s}\nabort: {httpStatus: 503}")
    let exchange = try bench.request("POST", "/", body: ["x"])
    #expect(exchange.progress == .request)
    bench.advance(milliseconds: 1000)
    #expect(exchange.response?.status == 503)
    #expect(exchange.flags == [.delayInjected, .faultInjected])
  }

  @Test(arguments: [(10.0, 0.1), (0.5, 0.005), (0, 0), (100, 1)])
  func aShareOfTheRequests(percentage: Double, expected: Double) throws {
    let bench = try bench(Fault.self, "abort: {httpStatus: 500, percentage: \(percentage)}")
    var n = 0
    for _ in 0..<20_000 where try bench.request().progress == .answered { n += 1 }
    let tolerance = 5 * (expected * (1 - expected) / 20_000).squareRoot()
    #expect(abs(Double(n) / 20_000 - expected) <= tolerance)
  }

  @Test(arguments: [
    (["x-fault: on", "x-user: anna"], true), (["X-Fault: on", "x-user: annika"], true), (["x-fault: on"], false),
    (["x-fault: off", "x-user: anna"], false), (["x-fault: on", "x-user: bert"], false), ([], false),
  ])
  func onlyWhereTheHeadersMatch(headers: [String], isHit: Bool) throws {
    let bench = try bench(
      Fault.self,
      """
      abort: {httpStatus: 500}
      headers:
      - {name: x-fault, value: "on"}
      - {name: x-user, type: RegularExpression, value: "ann.*"}
      """)
    #expect(try (bench.request("GET", "/", headers).progress == .answered) == isHit)
  }

  @Test func noMoreDelaysThanAllowed() throws {
    let bench = try bench(Fault.self, "delay: {fixedDelay: 1s}\nmaxActiveFaults: 2")
    let first = try bench.request()
    var second: FilterBenchExchange? = try bench.request()
    #expect(try bench.request().progress == .upstream)
    #expect(second?.progress == .request)
    // A client that goes away gives its place back, and so does a delay that is over.
    second = nil
    let third = try bench.request()
    #expect(third.progress == .request)
    #expect(try bench.request().progress == .upstream)
    bench.advance(milliseconds: 1000)
    #expect(first.progress == .upstream)
    let (fourth, fifth) = (try bench.request(), try bench.request())
    #expect(fourth.progress == .request)
    #expect(fifth.progress == .request)
    #expect(try bench.request().progress == .upstream)
  }

  @Test(arguments: [
    ("{}", "injects nothing; give \"delay\", \"abort\" or both"),
    ("delay: {}", "delay.fixedDelay: is missing; it must be given"),
    ("delay: {fixedDelay: 0s}", "delay.fixedDelay: 0s is out of range; allowed are 1ms to 1h"),
    ("abort: {httpStatus: 100}", "abort.httpStatus: 100 is out of range; allowed are 200 to 599"),
    ("abort: {httpStatus: 500, percentage: 101}", "abort.percentage: 101.0 is out of range; allowed are 0.0 to 100.0"),
    (
      "abort: {httpStatus: 500}\nheaders: [{name: x, value: \"(\", type: RegularExpression}]",
      "headers[0].value: \"(\", at offset 1: missing closing parenthesis"
    ),
    ("abort: {httpStatus: 500}\nheaders: [{name: x}]", "headers[0].value: is missing; it must be given"),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(Fault.self, yaml)
    #expect(found.contains(finding), "\(found)")
  }
}
