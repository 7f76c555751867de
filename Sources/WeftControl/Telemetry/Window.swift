/// A sum, and the same of the last minute in six parts of ten seconds.
struct Window<Value: Sendable>: Sendable {
  private static var parts: Int { 6 }
  private static var length: Double { 10 }

  private(set) var total: Value
  private let zero: Value
  /// Made at the first addition of its time.
  private var recent: [(slot: Int, value: Value)] = []

  init(zero: Value) {
    total = zero
    self.zero = zero
  }

  mutating func add(_ now: Double, _ add: (inout Value) -> Void) {
    add(&total)
    let slot = Int(now / Self.length)
    if recent.last?.slot != slot {
      recent.removeAll { $0.slot <= slot - Self.parts }
      recent.append((slot, zero))
    }
    add(&recent[recent.count - 1].value)
  }

  /// How many seconds `recent` is about, for rates.
  static func span(_ now: Double, since begin: Double) -> Double {
    let start = Double(Int(now / length) - parts + 1) * length
    return max(min(now - start, now - begin), 1)
  }

  /// The sum of what came in the last minute, to ten seconds.
  func recent(_ now: Double, _ add: (inout Value, Value) -> Void) -> Value {
    let slot = Int(now / Self.length)
    var sum = zero
    for part in recent where part.slot > slot - Self.parts { add(&sum, part.value) }
    return sum
  }
}
