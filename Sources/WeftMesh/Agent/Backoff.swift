/// How long to wait before the next try to reach the control plane: longer each time, and never the same for two
/// proxies, so that a replica that comes back is not met by all of them at once.
struct Backoff {
  /// Milliseconds before the second try, and at most.
  let first: UInt64
  let most: UInt64
  private var tries = 0

  init(first: UInt64 = 200, most: UInt64 = 15_000) {
    self.first = first
    self.most = most
  }

  /// Milliseconds until the next try: between half of the present step and all of it.
  mutating func next(using generator: inout some RandomNumberGenerator) -> UInt64 {
    let doubled = first.multipliedReportingOverflow(by: 1 << UInt64(min(tries, 30)))
    let step = max(doubled.overflow ? most : min(doubled.partialValue, most), 1)
    tries = min(tries + 1, 30)
    return UInt64.random(in: step - step / 2...step, using: &generator)
  }

  /// It worked: the next failure starts from the beginning.
  mutating func reset() { tries = 0 }
}
