import Testing
import WeftConfig
import WeftStore

@testable import WeftControl

@Suite("What is decided about a rollout")
struct RolloutStepTests {
  private static let (old, new) = (
    "sha256:" + String(repeating: "a", count: 64), "sha256:" + String(repeating: "b", count: 64)
  )

  private func rollout(_ fields: String) throws -> FilterBundleRollout {
    let node = try ConfigNode(yaml: "{candidate: \"\(Self.new)\", \(fields)}")
    return try ObjectReader.decode(node) { FilterBundleRollout($0) }
  }

  private func figures(_ requests: UInt64, errors: UInt64 = 0, failures: UInt64 = 0, bucket: Int = 3) -> RolloutFigures
  {
    var figures = RolloutFigures()
    figures.requests = requests
    figures.errors = errors
    figures.failures = failures
    figures.latency[bucket] = requests
    return figures
  }

  @Test("steps go by when their time is over and the candidate has proved itself, and the last one completes it")
  func steps() throws {
    let rollout = try rollout(
      "steps: [{percent: 10, pause: 60s}, {percent: 50}, {percent: 100}], analysis: {minimumRequests: 10}")
    var status = RolloutStatus(rollout, from: Self.old, at: 1_000)
    status.advance(rollout, at: 1_061)
    #expect(status.step == 0 && status.message.contains("waits for 10 requests of the candidate to compare; 0 so far"))
    status.add(stable: figures(90), candidate: figures(9))
    status.advance(rollout, at: 1_062)
    #expect(status.step == 0)
    status.add(stable: figures(10), candidate: figures(1))
    status.advance(rollout, at: 1_063)
    #expect(status.step == 1 && status.passes == 0 && status.checks.allSatisfy(\.isPassed))
    #expect(status.candidateFigures.requests == 10 && status.stableFigures.requests == 100)
    // A step without a time waits, whatever comes.
    status.add(stable: figures(100), candidate: figures(100))
    status.advance(rollout, at: 9_000)
    #expect(status.phase == .waiting && status.step == 1)
    status.isPromoted = true
    status.advance(rollout, at: 9_001)
    #expect(status.step == 2 && status.phase == .progressing && !status.isPromoted)
    status.add(stable: figures(0), candidate: figures(100))
    status.advance(rollout, at: 9_020)
    #expect(status.phase == .completing)
    // Nothing moves it any more.
    status.isPromoted = true
    status.advance(rollout, at: 99_000)
    #expect(status.phase == .completing)
  }

  @Test(
    "a candidate that does worse is taken back",
    arguments: [
      ("{}", (100, 0, 1), (100, 0, 3), 3, "errorRate"),
      ("{}", (100, 0, 1), (100, 0, 2), 3, nil),
      ("{errorRate: 5}", (100, 0, 1), (100, 0, 6), 3, nil),
      ("{}", (100, 0, 0), (100, 1, 0), 3, "scriptErrorRate"),
      ("{scriptErrorRate: 1}", (100, 0, 0), (100, 1, 0), 3, nil),
      ("{latencyP99: 50}", (100, 0, 0), (100, 0, 0), 5, "latencyP99"),
      ("{latencyP99: 500}", (100, 0, 0), (100, 0, 0), 5, nil),
      ("{latencyMean: 50}", (100, 0, 0), (100, 0, 0), 5, "latencyMean"),
      ("{}", (100, 0, 0), (100, 0, 0), 5, nil),
    ] as [(String, (UInt64, UInt64, UInt64), (UInt64, UInt64, UInt64), Int, String?)])
  func worse(
    _ analysis: String, _ a: (UInt64, UInt64, UInt64), _ b: (UInt64, UInt64, UInt64), _ bucket: Int, _ failed: String?
  ) throws {
    let rollout = try rollout("analysis: \(analysis)")
    var status = RolloutStatus(rollout, from: Self.old, at: 0)
    status.add(
      stable: figures(a.0, errors: a.1, failures: a.2),
      candidate: figures(b.0, errors: b.1, failures: b.2, bucket: bucket))
    status.advance(rollout, at: 9)
    #expect(status.checks.isEmpty, "not before its time")
    status.advance(rollout, at: 11)
    #expect(status.checks.filter { !$0.isPassed }.map(\.name) == (failed.map { [$0] } ?? []))
    #expect((status.phase == .rollingBack) == (failed != nil))
    if let failed { #expect(status.message.hasPrefix("rolled back: \(failed) ")) }
  }

  @Test("so many comparisons may fail")
  func patience() throws {
    let rollout = try rollout("analysis: {failuresAllowed: 1, minimumRequests: 1}")
    var status = RolloutStatus(rollout, from: Self.old, at: 0)
    status.add(stable: figures(10), candidate: figures(10, failures: 5))
    status.advance(rollout, at: 20)
    #expect(status.phase == .progressing && status.message.contains("comparison failed (1 of 1 allowed)"))
    status.add(stable: figures(10), candidate: figures(10, failures: 5))
    status.advance(rollout, at: 40)
    #expect(status.phase == .rollingBack)
  }

  @Test("without requests of the present version, what it did before counts; a clock that goes back ends nothing")
  func past() throws {
    let rollout = try rollout("steps: [{percent: 100, pause: 60s}], analysis: {minimumRequests: 1}")
    var status = RolloutStatus(rollout, from: Self.old, at: 1_000)
    status.add(stable: figures(100, failures: 50), candidate: RolloutFigures())
    status.advance(rollout, at: 1_020)
    status.add(stable: RolloutFigures(), candidate: figures(100, failures: 50))
    status.advance(rollout, at: 1_040)
    #expect(status.passes == 1 && status.phase == .progressing)
    status.advance(rollout, at: 10)
    #expect(status.stepSince == 10 && status.phase == .progressing)
    status.advance(rollout, at: 70)
    #expect(status.phase == .completing)
  }

  @Test("a status survives the store")
  func stored() throws {
    let rollout = try rollout("by: Requests, mode: Shadow")
    var status = RolloutStatus(rollout, from: Self.old, at: 5)
    status.add(stable: figures(7), candidate: figures(3))
    status.note("something", at: 6)
    let entry = Entry(key: "/status/x", value: try status.bytes, created: 1, modified: 2)
    #expect(RolloutStatus(entry) == status)
    #expect(RolloutStatus(Entry(key: "/status/x", value: Array("{}".utf8), created: 1, modified: 2)) == nil)
  }

  @Test("latencies are estimated within their buckets")
  func latencies() {
    var figures = RolloutFigures()
    #expect(figures.latency(quantile: 0.99) == nil && figures.meanLatency == nil)
    figures.latency[0] = 50
    figures.latency[4] = 50  // 0.8 to 1.6 ms
    #expect(figures.latency(quantile: 0.5) == 0.1)
    #expect(figures.latency(quantile: 1) == 1.6)
    #expect(abs((figures.meanLatency ?? 0) - 0.625) < 1e-9)
    #expect(figures.since(figures) == RolloutFigures() && RolloutFigures().since(figures) == RolloutFigures())
  }
}
