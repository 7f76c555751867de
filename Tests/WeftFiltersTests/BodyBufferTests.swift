import Testing
import WeftFilter
import WeftFilters

@Suite struct BodyBufferTests {
  @Test func bodiesAreWholeBeforeTheyGoOn() throws {
    let bench = try bench(BodyBuffer.self, "maxBytes: 6")
    let exchange = try bench.request("POST", "/", body: ["one", "two"], chunked: true)
    #expect(exchange.upstreamRequest?.pieces.map { String(decoding: $0, as: UTF8.self) } == ["onetwo"])
    #expect(exchange.upstreamRequest?["content-length"] == "6")
    #expect(exchange.upstreamRequest?["transfer-encoding"] == nil)
  }

  @Test(arguments: [true, false]) func longerOnesAreRefused(chunked: Bool) throws {
    let bench = try bench(BodyBuffer.self, "maxBytes: 5")
    let exchange = try bench.request("POST", "/", body: ["one", "two"], chunked: chunked)
    #expect(exchange.response?.status == 413)
    #expect(exchange.upstreamRequest == nil)
  }

  @Test func requestsWithoutABodyPass() throws {
    let bench = try bench(BodyBuffer.self, "maxBytes: 1KiB")
    let exchange = try bench.request()
    #expect(exchange.progress == .upstream)
    #expect(exchange.upstreamRequest?["content-length"] == nil)
  }

  @Test(arguments: [
    ("{}", "maxBytes: is missing; it must be given"),
    ("maxBytes: 0", "maxBytes: 0 is out of range; allowed are 1 to 16MiB"),
    ("maxBytes: 17MiB", "maxBytes: 17MiB is out of range; allowed are 1 to 16MiB"),
    ("maxBytes: many", "maxBytes: expected a size such as 65536, 64KiB or 1MB, not the string \"many\""),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    #expect(findings(BodyBuffer.self, yaml) == [finding])
  }
}
