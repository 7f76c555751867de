/// A span of time as the configuration writes it: the Gateway API's duration format (GEP-2257), one to four numbers of
/// up to five digits with a unit each, such as `10s`, `1h30m` or `500ms`.
public struct ConfigDuration: Sendable, Hashable, Comparable, CustomStringConvertible {
  public var nanoseconds: Int64

  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  public static let zero = ConfigDuration(nanoseconds: 0)
  /// The longest that the format can write: four times 99,999 hours.
  public static let max = ConfigDuration.seconds(4 * 99_999 * 3600)

  public static func milliseconds(_ count: Int64) -> ConfigDuration {
    scaled(count, by: 1_000_000)
  }

  public static func seconds(_ count: Int64) -> ConfigDuration {
    scaled(count, by: 1_000_000_000)
  }

  public static func minutes(_ count: Int64) -> ConfigDuration {
    scaled(count, by: 60_000_000_000)
  }

  private static func scaled(_ count: Int64, by unit: Int64) -> ConfigDuration {
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    return ConfigDuration(nanoseconds: overflow ? (count < 0 ? .min : .max) : product)
  }

  /// Rounded up, so that a timer set with it never fires early.
  public var milliseconds: Int64 { nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0) }
  public var seconds: Double { Double(nanoseconds) / 1e9 }
  /// Zero; where a timeout takes it, it means that there is none.
  public var isZero: Bool { nanoseconds == 0 }

  /// Reads GEP-2257 text; nil when it is none.
  public init?(_ text: String) {
    var rest = text.utf8[...]
    var total: Int64 = 0
    var parts = 0
    while !rest.isEmpty {
      let digits = rest.prefix { $0 &- UInt8(ascii: "0") < 10 }
      guard (1...5).contains(digits.count), let count = Int64(String(digits) ?? "") else { return nil }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { $0 &- UInt8(ascii: "0") >= 10 }
      rest = rest.dropFirst(unit.count)
      switch String(unit) {
      case "h": total += count * 3_600_000_000_000
      case "m": total += count * 60_000_000_000
      case "s": total += count * 1_000_000_000
      case "ms": total += count * 1_000_000
      default: return nil
      }
      parts += 1
      guard parts <= 4 else { return nil }
    }
    guard parts > 0 else { return nil }
    nanoseconds = total
  }

  /// In the same format, as short as possible; what is finer than a millisecond is left out.
  public var description: String {
    var rest = nanoseconds / 1_000_000
    guard rest > 0 else { return "0s" }
    var text = ""
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] as [(String, Int64)] {
      if rest >= size { text += "\(rest / size)\(unit)" }
      rest %= size
    }
    return text
  }

  public static func < (left: ConfigDuration, right: ConfigDuration) -> Bool { left.nanoseconds < right.nanoseconds }
}
