import WeftIO

/// Dates of HTTP fields, of the one form that is to be generated (RFC 9110 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
  private static let months: [StaticString] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// Seconds since 1970; nil for another form, or a date before 1970.
  static func seconds(_ text: Bytes) -> UInt64? {
    guard text.count == 29, text.slice(25, 29) == Bytes(" GMT"), text[3] == 0x2c, text[4] == 0x20, text[7] == 0x20,
      text[11] == 0x20, text[16] == 0x20, text[19] == 0x3a, text[22] == 0x3a,
      let day = text.slice(5, 7).decimal, let year = text.slice(12, 16).decimal,
      let hour = text.slice(17, 19).decimal, let minute = text.slice(20, 22).decimal,
      let second = text.slice(23, 25).decimal,
      let month = months.firstIndex(where: { Bytes($0) == text.slice(8, 11) }),
      (1...31).contains(day), (1970...9999).contains(year), hour < 24, minute < 60, second <= 60
    else { return nil }
    return days(year, UInt64(month) + 1, day) &* 86_400 &+ hour &* 3600 &+ minute &* 60 &+ second
  }

  /// Days from 1970-01-01, in the Gregorian calendar. The year begins in March, so that the leap day is its last.
  private static func days(_ year: UInt64, _ month: UInt64, _ day: UInt64) -> UInt64 {
    let y = month > 2 ? year : year - 1
    let m = month > 2 ? month - 3 : month + 9
    let dayOfYear = (153 * m + 2) / 5 + day - 1
    return y * 365 + y / 4 - y / 100 + y / 400 + dayOfYear - 719_468
  }
}
