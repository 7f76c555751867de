/// Sizes as the configuration writes them: a whole number of bytes with an optional unit, such as `512`, `64KiB`, `1MB`
/// or Kubernetes' `64Ki` and `1M`.
enum ByteCount {
  /// The number of bytes; nil when `text` is no size or does not fit.
  static func parse(_ text: String) -> Int? {
    let digits = text.utf8.prefix { $0 &- UInt8(ascii: "0") < 10 }
    guard let count = Int(String(digits) ?? ""), let unit = unit(String(text.utf8.dropFirst(digits.count)) ?? "") else {
      return nil
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: unit)
    return overflow ? nil : bytes
  }

  /// As short as it can be written exactly with a binary unit.
  static func text(_ bytes: Int) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] where bytes >= 1 << shift && bytes % (1 << shift) == 0
    {
      return "\(bytes >> shift)\(unit)"
    }
    return "\(bytes)"
  }

  private static func unit(_ name: String) -> Int? {
    switch name {
    case "", "B": 1
    case "k", "kB", "K", "KB": 1000
    case "M", "MB": 1_000_000
    case "G", "GB": 1_000_000_000
    case "T", "TB": 1_000_000_000_000
    case "Ki", "KiB": 1 << 10
    case "Mi", "MiB": 1 << 20
    case "Gi", "GiB": 1 << 30
    case "Ti", "TiB": 1 << 40
    default: nil
    }
  }
}
