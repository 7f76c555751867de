import Testing

@testable import WeftMesh

@Suite("Waiting before the next try")
struct BackoffTests {
  @Test("doubles up to its bound, with jitter, and starts anew after success")
  func steps() {
    var generator = SystemRandomNumberGenerator()
    var backoff = Backoff(first: 100, most: 1_000)
    for step in [100, 200, 400, 800, 1_000, 1_000] as [UInt64] {
      let wait = backoff.next(using: &generator)
      #expect((step / 2...step).contains(wait), "\(wait) of \(step)")
    }
    for _ in 0..<100 { #expect(backoff.next(using: &generator) <= 1_000) }
    backoff.reset()
    #expect(backoff.next(using: &generator) <= 100)
  }

  @Test("bears any bounds")
  func bounds() {
    var generator = SystemRandomNumberGenerator()
    var none = Backoff(first: 0, most: 0)
    #expect(none.next(using: &generator) <= 1)
    var huge = Backoff(first: .max / 2, most: .max)
    for _ in 0..<40 { _ = huge.next(using: &generator) }
    #expect(huge.next(using: &generator) >= .max / 2)
  }
}
