import Testing

@testable import WeftProxy

@Suite struct WriteGatheringTests {
  /// Heads that pass every `interval` nanoseconds, of requests that took `latency`.
  private func gathering(interval: UInt64, latency: UInt64, heads: Int = 300) -> WriteGathering {
    var gathering = WriteGathering()
    var now: UInt64 = 10_000_000_000
    for _ in 0..<heads {
      now += interval
      gathering.countHead(now: now, started: now - latency)
    }
    return gathering
  }

  @Test func nothingIsHeldAtFirst() { #expect(WriteGathering().hold == 0) }

  @Test func writesWaitAShareOfWhatRequestsTake() {
    let hold = gathering(interval: 10_000, latency: 3_200_000).hold
    #expect(hold > 90_000 && hold <= 100_000)
  }

  @Test func theWaitIsBounded() { #expect(gathering(interval: 10_000, latency: 900_000_000).hold == 250_000) }

  @Test func oneRequestAfterTheOtherWaitsForNothing() {
    #expect(gathering(interval: 200_000, latency: 200_000).hold == 0)
    #expect(gathering(interval: 1_000_000_000, latency: 5_000_000).hold == 0)
  }

  @Test func burstsAreForgotten() {
    var gathering = gathering(interval: 1_000, latency: 10_000_000)
    #expect(gathering.hold > 0)
    var now: UInt64 = 20_000_000_000
    for _ in 0..<10 {
      now += 2_000_000
      gathering.countHead(now: now, started: now - 1_000_000)
    }
    #expect(gathering.hold == 0)
  }

  @Test func clocksThatGoBackAreBorne() {
    var gathering = WriteGathering()
    gathering.countHead(now: 100, started: 200)
    gathering.countHead(now: 50, started: 200)
    #expect(gathering.hold == 0)
  }
}
