import Testing
import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

@Suite struct FilterBenchTests {
  struct Stamp: FilterType {
    static let name = "stamp"
    let value: OwnedBytes
    let stamped: CounterFamily

    init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
      value = OwnedBytes(reader.string("value", .headerValue))
      stamped = try context.metrics.counter("weft_filter_stamps_total", help: "Stamps.", labels: ["filter"])
    }

    func makeFilter(_ worker: WorkerContext) -> HTTPFilter {
      StampFilter(value, worker.metrics.counter(stamped, [Self.name]))
    }
  }

  final class StampFilter: HTTPFilter {
    let value: OwnedBytes
    let stamped: Counter
    static let header = HeaderName("x-stamp")

    init(_ value: OwnedBytes, _ stamped: Counter) {
      self.value = value
      self.stamped = stamped
    }

    override var phases: FilterPhases { .request }

    override func onRequest(_ exchange: Exchange) -> FilterVerdict {
      exchange.request.headers.set(Self.header, value.bytes)
      stamped.add()
      return .next
    }
  }

  @Test func aFilterTypeIsDecodedRunAndCounted() throws {
    let bench = FilterBench()
    try bench.add(Stamp.self, "value: hello")
    let exchange = try bench.request("GET", "/a?b", ["host: a.example", "X-Stamp: forged"])
    #expect(exchange.upstreamRequest?.target == "/a?b")
    #expect(exchange.upstreamRequest?.lines == ["host: a.example", "x-stamp: hello"])
    try exchange.respond(200, ["content-type: text/plain"], body: ["hi"])
    #expect(exchange.progress == .answered)
    #expect(exchange.response?.text == "hi")
    #expect(bench.metric("weft_filter_stamps_total", ["stamp"]) == 1)
  }

  @Test func mistakesInConfigurationAreThrownWithTheirPlaces() throws {
    let bench = FilterBench()
    let error = #expect(throws: ConfigError.self) { try bench.add(Stamp.self, "value: hello\nvalues: 2") }
    #expect(error?.description.contains("inline.yaml:2: values: unknown field \"values\"") == true)
  }

  @Test func whatTheProxyWouldRefuseIsAnError() throws {
    let bench = FilterBench()
    #expect(throws: FilterBenchError.self) { try bench.request("GET", "no-slash") }
    let exchange = try bench.request()
    #expect(throws: FilterBenchError.self) { try exchange.respond(200, ["content-length: x"]) }
    try exchange.respond(200)
    #expect(throws: FilterBenchError.self) { try exchange.respond(200) }
  }

  @Test func callsToServicesAreAnsweredByTheTest() throws {
    final class Caller: HTTPFilter {
      override var phases: FilterPhases { .request }
      override func onRequest(_ exchange: Exchange) -> FilterVerdict {
        let worker = exchange.worker
        let reference = exchange.reference
        let sent = worker.call(ServiceCall(service: ServiceReference("default/auth"), authority: "auth")) { result in
          var seen = ""
          result.forEachHeader { name, value in seen += "\(name.string)=\(value.string);" }
          worker.exchange(reference)?.respond(result.status, text: seen + result.body.string)
          worker.resume(reference)
        }
        return sent ? .suspend : .next
      }
      override func onResume(_ exchange: Exchange) -> FilterVerdict { .respond }
    }
    let bench = FilterBench()
    bench.add(Caller())
    let exchange = try bench.request()
    #expect(bench.worker.calls.map(\.authority) == ["auth"])
    bench.worker.answerCall(401, ["X-Reason: none"], body: "go away")
    #expect(exchange.response?.status == 401)
    #expect(exchange.response?.text == "x-reason=none;go away")
    bench.worker.refusesCalls = true
    #expect(try bench.request().progress == .upstream)
  }

  @Test func retryPoliciesAreAskedAfterEachAttempt() throws {
    final class Twice: RetryPolicy {
      var finishedCount = 0
      override func backoff(_ exchange: Exchange, after outcome: AttemptOutcome) -> UInt32? {
        exchange.attempts < 3 && outcome != .response(404) ? UInt32(exchange.attempts * 10) : nil
      }
      override func finished(_ exchange: Exchange) { finishedCount += 1 }
    }
    let bench = FilterBench()
    let journal = Journal()
    let probe = ProbeFilter("a", journal, .request)
    let replaced = Twice(replayLimit: 0, perTryTimeout: 0)
    let policy = Twice(replayLimit: 0, perTryTimeout: 0)
    probe.request = { exchange in
      exchange.setRetryPolicy(replaced)
      exchange.setRetryPolicy(policy)
      return .next
    }
    bench.add(probe)
    let exchange = try bench.request()
    #expect(replaced.finishedCount == 1)
    #expect(exchange.retryPolicy === policy)
    #expect(try exchange.attemptFails(.response(404)) == nil)
    #expect(try exchange.attemptFails(.reset) == 10)
    #expect(try exchange.attemptFails(.response(503)) == 20)
    #expect(try exchange.attemptFails(.timeout) == nil)
    exchange.end()
    exchange.end()
    #expect(policy.finishedCount == 1)
  }
}
