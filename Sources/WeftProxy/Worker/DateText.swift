import Glibc
import WeftIO

/// The `Date` field's value (RFC 9110 5.6.7), written anew once a second.
struct DateText: ~Copyable {
  private static let length = 29
  private let text = MutableBytePointer.allocate(capacity: DateText.length)
  private var second: UInt64 = .max

  deinit { text.deallocate() }

  /// - Parameter wall: nanoseconds since 1970.
  mutating func bytes(wall: UInt64) -> Bytes {
    let now = wall / 1_000_000_000
    if now != second {
      second = now
      write(now)
    }
    return Bytes(BytePointer(text), Self.length)
  }

  private func write(_ seconds: UInt64) {
    var time = time_t(truncatingIfNeeded: seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    var w = ByteWriter(text, Self.length)
    w.append(Bytes("SunMonTueWedThuFriSat").slice(Int(parts.tm_wday) * 3, Int(parts.tm_wday) * 3 + 3))
    w.append(", ")
    two(Int(parts.tm_mday), &w)
    w.append(" ")
    w.append(Bytes("JanFebMarAprMayJunJulAugSepOctNovDec").slice(Int(parts.tm_mon) * 3, Int(parts.tm_mon) * 3 + 3))
    w.append(" ")
    w.append(decimal: Int(parts.tm_year) + 1900)
    w.append(" ")
    two(Int(parts.tm_hour), &w)
    w.append(":")
    two(Int(parts.tm_min), &w)
    w.append(":")
    two(Int(parts.tm_sec), &w)
    w.append(" GMT")
  }

  private func two(_ value: Int, _ w: inout ByteWriter) {
    w.append(byte: UInt8(truncatingIfNeeded: value / 10 + 48))
    w.append(byte: UInt8(truncatingIfNeeded: value % 10 + 48))
  }
}
