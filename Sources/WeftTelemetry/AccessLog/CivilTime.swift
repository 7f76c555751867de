import WeftIO

/// A second of the Unix clock as a date and time of day in UTC (proleptic Gregorian calendar).
struct CivilTime {
  let epoch: UInt64
  let year: Int
  /// 1 to 12.
  let month: Int
  /// 1 to 31.
  let day: Int
  let hour: Int
  let minute: Int
  let second: Int
  /// 0 is Sunday.
  let weekday: Int
  /// 1 to 366.
  let dayOfYear: Int

  /// - Parameter second: since the Unix epoch; beyond the year 9999 it stands still.
  init(second: UInt64) {
    epoch = second
    let clamped = Int(min(second, 253_402_300_799))
    var days = clamped / 86400
    let rest = clamped % 86400
    hour = rest / 3600
    minute = rest / 60 % 60
    self.second = rest % 60
    weekday = (days + 4) % 7
    var year = 1970
    // Whole cycles of 400 years first, then at most 400 single ones: rendered once a second only.
    year += days / 146_097 * 400
    days %= 146_097
    while true {
      let length = CivilTime.isLeap(year) ? 366 : 365
      if days < length { break }
      days -= length
      year += 1
    }
    self.year = year
    dayOfYear = days + 1
    var month = 1
    while true {
      let length = CivilTime.length(ofMonth: month, in: year)
      if days < length { break }
      days -= length
      month += 1
    }
    self.month = month
    day = days + 1
  }

  private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func length(ofMonth month: Int, in year: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static let months: [StaticString] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  private static let weekdays: [StaticString] = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]

  /// Appends what `strftime` (C locale) gives for `%` and `conversion`.
  func append(_ conversion: UInt8, to out: inout ByteWriter) {
    let month = CivilTime.months[min(max(self.month, 1), 12) - 1]
    let weekday = CivilTime.weekdays[self.weekday % 7]
    switch UnicodeScalar(conversion) {
    case "Y": number(year, 4, &out)
    case "y": number(year % 100, 2, &out)
    case "m": number(self.month, 2, &out)
    case "d": number(day, 2, &out)
    case "e": number(day, 2, pad: 0x20, &out)
    case "j": number(dayOfYear, 3, &out)
    case "H": number(hour, 2, &out)
    case "k": number(hour, 2, pad: 0x20, &out)
    case "I": number((hour + 11) % 12 + 1, 2, &out)
    case "l": number((hour + 11) % 12 + 1, 2, pad: 0x20, &out)
    case "M": number(minute, 2, &out)
    case "S": number(second, 2, &out)
    case "p": out.append(hour < 12 ? "AM" : "PM")
    case "s": out.append(decimal: epoch)
    case "A": out.append(weekday)
    case "a": out.append(weekday.utf8Start, 3)
    case "B": out.append(month)
    case "b", "h": out.append(month.utf8Start, 3)
    case "u": number(self.weekday == 0 ? 7 : self.weekday, 1, &out)
    case "w": number(self.weekday, 1, &out)
    case "Z": out.append("UTC")
    case "z": out.append("+0000")
    case "F":
      append(UInt8(ascii: "Y"), to: &out)
      out.append(byte: 0x2d)
      append(UInt8(ascii: "m"), to: &out)
      out.append(byte: 0x2d)
      append(UInt8(ascii: "d"), to: &out)
    case "D":
      append(UInt8(ascii: "m"), to: &out)
      out.append(byte: 0x2f)
      append(UInt8(ascii: "d"), to: &out)
      out.append(byte: 0x2f)
      append(UInt8(ascii: "y"), to: &out)
    case "R":
      append(UInt8(ascii: "H"), to: &out)
      out.append(byte: 0x3a)
      append(UInt8(ascii: "M"), to: &out)
    case "T":
      append(UInt8(ascii: "R"), to: &out)
      out.append(byte: 0x3a)
      append(UInt8(ascii: "S"), to: &out)
    default: break
    }
  }

  private func number(_ value: Int, _ width: Int, pad: UInt8 = 0x30, _ out: inout ByteWriter) {
    var bound = 10
    for _ in 1..<width {
      if value < bound { out.append(byte: pad) }
      bound *= 10
    }
    out.append(decimal: UInt64(value))
  }
}
