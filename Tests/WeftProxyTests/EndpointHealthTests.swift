import Synchronization
import Testing
import WeftIO

@testable import WeftProxy

@Suite struct EndpointHealthTests {
  private let counts = HealthCounts()
  private let outlier = OutlierDetection(
    consecutive5xx: 3, consecutiveGatewayErrors: 2, baseEjectionTime: 1_000, maxEjectionTime: 2_500,
    maxEjectionPercent: 50)

  private func endpoint() -> EndpointHealth { EndpointHealth(SocketAddress(), counts) }
  private var unavailable: Int { counts.unavailable.load(ordering: .relaxed) }
  private var ejected: Int { counts.ejected.load(ordering: .relaxed) }

  @Test func errorsInARowEject() {
    let e = endpoint()
    for _ in 0..<2 { #expect(e.failed(status: 500, outlier, of: 4, now: 10) == nil) }
    e.succeeded()
    for _ in 0..<2 { #expect(e.failed(status: 500, outlier, of: 4, now: 10) == nil) }
    #expect(e.failed(status: 500, outlier, of: 4, now: 10) == .consecutive5xx)
    #expect(!e.isAvailable && e.isEjected && unavailable == 1 && ejected == 1)
    #expect(!e.endEjection(now: 1_009))
    #expect(e.endEjection(now: 1_010))
    #expect(e.isAvailable && unavailable == 0 && ejected == 0)
  }

  @Test func gatewayErrorsCountApart() {
    let e = endpoint()
    #expect(e.failed(status: 503, outlier, of: 4, now: 0) == nil)
    #expect(e.failed(status: 504, outlier, of: 4, now: 0) == .consecutiveGatewayErrors)
    let other = endpoint()
    #expect(other.failed(status: 503, outlier, of: 4, now: 0) == nil)
    // A 500 is an error, though not of a gateway.
    #expect(other.failed(status: 500, outlier, of: 4, now: 0) == nil)
    #expect(other.failed(status: 503, outlier, of: 4, now: 0) == .consecutive5xx)
  }

  @Test func ejectionsGrowAndAreForgiven() {
    let e = endpoint()
    var now: UInt64 = 1
    func eject() -> UInt64 {
      for _ in 0..<3 { _ = e.failed(status: 500, outlier, of: 4, now: now) }
      let time = e.ejectedUntil - now
      now = e.ejectedUntil
      #expect(e.endEjection(now: now))
      return time
    }
    #expect(eject() == 1_000)
    #expect(eject() == 2_000)
    #expect(eject() == 2_500)
    #expect(e.ejectionCount == 3)
    now += 2_000
    #expect(eject() == 2_000)
    now += 60_000
    #expect(eject() == 1_000)
  }

  @Test func onlyAShareIsEjected() {
    let all = (0..<5).map { _ in endpoint() }
    let outcome = all.map { e in (0..<3).compactMap { _ in e.failed(status: 500, outlier, of: 5, now: 0) } }
    #expect(outcome.map(\.count) == [1, 1, 0, 0, 0])
    #expect(ejected == 2 && unavailable == 2)
    // One may always be, but not the only one.
    let lone = HealthCounts()
    let single = EndpointHealth(SocketAddress(), lone)
    for _ in 0..<9 { #expect(single.failed(status: 500, outlier, of: 1, now: 0) == nil) }
    var none = outlier
    none.maxEjectionPercent = 0
    for _ in 0..<9 { #expect(single.failed(status: 500, none, of: 9, now: 0) == nil) }
  }

  @Test func removalTakesItOutOfTheCounts() {
    let e = endpoint()
    e.setCheckFailed(true)
    for _ in 0..<3 { _ = e.failed(status: 500, outlier, of: 4, now: 0) }
    #expect(unavailable == 1 && ejected == 1)
    e.setCheckFailed(false)
    #expect(unavailable == 1 && !e.isAvailable)
    e.remove()
    #expect(unavailable == 0 && ejected == 0)
    e.setCheckFailed(true)
    for _ in 0..<9 { _ = e.failed(status: 500, outlier, of: 4, now: 9) }
    e.remove()
    #expect(unavailable == 0 && ejected == 0)
  }
}
