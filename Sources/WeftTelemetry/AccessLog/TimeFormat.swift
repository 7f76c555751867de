import WeftIO

/// A compiled `strftime`-like format for UTC times, with fractions of a second as in `%3f`.
///
/// Rendered once a second: a `TimeCache` keeps the text and where the digits of the fraction go.
struct TimeFormat: Sendable {
  /// Longest rendered time, in bytes.
  static let maxLength = 96
  static let maxFractions = 4

  enum Piece: Sendable, Equatable {
    case literal([UInt8])
    case conversion(UInt8)
    /// That many digits of the second's fraction.
    case fraction(Int)
  }

  let pieces: [Piece]

  /// `%Y-%m-%dT%H:%M:%S.%3fZ`, what an access log prints unless told otherwise.
  static let iso8601 = TimeFormat(pieces: [
    .conversion(UInt8(ascii: "F")), .literal([UInt8(ascii: "T")]), .conversion(UInt8(ascii: "T")),
    .literal([UInt8(ascii: ".")]), .fraction(3), .literal([UInt8(ascii: "Z")]),
  ])

  private init(pieces: [Piece]) { self.pieces = pieces }

  /// - Throws: `AccessLogFormatError` for an unknown conversion, or characters that a log line would have to escape.
  init(_ text: String) throws(AccessLogFormatError) {
    var pieces: [Piece] = []
    var literal: [UInt8] = []
    let utf8 = Array(text.utf8)
    var i = 0
    func refuse(_ reason: String) throws(AccessLogFormatError) -> Never {
      throw AccessLogFormatError("time format '\(text)': \(reason)")
    }
    func flush() {
      if !literal.isEmpty { pieces.append(.literal(literal)) }
      literal = []
    }
    while i < utf8.count {
      let c = utf8[i]
      i += 1
      if c != UInt8(ascii: "%") {
        if c < 0x20 || c >= 0x7f || c == 0x22 || c == 0x5c { try refuse("only printable ASCII without quotes") }
        literal.append(c)
        continue
      }
      guard i < utf8.count else { try refuse("ends in the middle of a conversion") }
      var conversion = utf8[i]
      i += 1
      if conversion == UInt8(ascii: "%") {
        literal.append(conversion)
        continue
      }
      flush()
      // %E3S is seconds with three digits behind the point; %E3f the digits alone.
      let extended = conversion == UInt8(ascii: "E")
      if extended {
        guard i < utf8.count else { try refuse("ends in the middle of a conversion") }
        conversion = utf8[i]
        i += 1
      }
      if conversion >= UInt8(ascii: "1") && conversion <= UInt8(ascii: "9") {
        guard i < utf8.count else { try refuse("ends in the middle of a conversion") }
        let digits = Int(conversion - UInt8(ascii: "0"))
        let kind = utf8[i]
        i += 1
        if kind == UInt8(ascii: "S") && extended {
          pieces.append(.conversion(kind))
          pieces.append(.literal([UInt8(ascii: ".")]))
        } else if kind != UInt8(ascii: "f") {
          try refuse("a number of digits stands before 'f' only")
        }
        pieces.append(.fraction(digits))
      } else if conversion == UInt8(ascii: "f") && !extended {
        pieces.append(.fraction(9))
      } else if TimeFormat.conversions.contains(conversion) && !extended {
        pieces.append(.conversion(conversion))
      } else {
        let known = String(decoding: TimeFormat.conversions, as: UTF8.self).map { "%\($0)" }.joined(separator: " ")
        try refuse("'%\(Character(UnicodeScalar(conversion)))' is unknown; known are \(known) %f %1f to %9f %%")
      }
    }
    flush()
    if pieces.filter({ if case .fraction = $0 { true } else { false } }).count > TimeFormat.maxFractions {
      try refuse("more than \(TimeFormat.maxFractions) fractions")
    }
    self.pieces = pieces
    // Wednesday 29 September has the longest names and no short number.
    var cache = TimeCache()
    cache.render(self, second: 1_790_682_645)
    cache.free()
    if cache.overflow { try refuse("gives more than \(TimeFormat.maxLength) bytes") }
  }

  static let conversions = Array("YmdHMSyjeaAbBhFTRDIpZzsuwkl".utf8)
}

/// A rendered second of one `TimeFormat`, kept by whoever writes a log.
struct TimeCache {
  private let text = MutableBytePointer.allocate(capacity: TimeFormat.maxLength)
  private var count = 0
  private var second: UInt64 = .max
  // Where the digits of fractions go, and how many: a fixed few, so that no array is touched per line.
  private var positions: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
  private var digits: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
  private var fractions = 0
  private(set) var overflow = false

  func free() { text.deallocate() }

  /// Appends the time, given in nanoseconds since the Unix epoch.
  mutating func append(_ nanoseconds: UInt64, _ format: @autoclosure () -> TimeFormat, to out: inout ByteWriter) {
    let (now, fraction) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    if now != second { render(format(), second: now) }
    if out.space < count {
      out.overflow = true
      return
    }
    let start = out.base + out.count
    out.append(BytePointer(text), count)
    if fractions == 0 { return }
    patch(start, positions.0, digits.0, fraction)
    if fractions > 1 { patch(start, positions.1, digits.1, fraction) }
    if fractions > 2 { patch(start, positions.2, digits.2, fraction) }
    if fractions > 3 { patch(start, positions.3, digits.3, fraction) }
  }

  private func patch(_ start: MutableBytePointer, _ position: UInt8, _ digits: UInt8, _ nanoseconds: UInt64) {
    var rest = nanoseconds
    var unused = 9 &- Int(digits)
    while unused > 0 {
      rest /= 10
      unused &-= 1
    }
    var i = Int(position) &+ Int(digits)
    while i > Int(position) {
      i &-= 1
      start[i] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
      rest /= 10
    }
  }

  mutating func render(_ format: TimeFormat, second: UInt64) {
    self.second = second
    fractions = 0
    var out = ByteWriter(text, TimeFormat.maxLength)
    let date = CivilTime(second: second)
    for piece in format.pieces {
      switch piece {
      case .literal(let bytes): bytes.withUnsafeBufferPointer { b in b.baseAddress.map { out.append($0, b.count) } }
      case .conversion(let c): date.append(c, to: &out)
      case .fraction(let n):
        switch fractions {
        case 0: (positions.0, digits.0) = (UInt8(truncatingIfNeeded: out.count), UInt8(n))
        case 1: (positions.1, digits.1) = (UInt8(truncatingIfNeeded: out.count), UInt8(n))
        case 2: (positions.2, digits.2) = (UInt8(truncatingIfNeeded: out.count), UInt8(n))
        default: (positions.3, digits.3) = (UInt8(truncatingIfNeeded: out.count), UInt8(n))
        }
        fractions += 1
        for _ in 0..<n { out.append(byte: 0x30) }
      }
    }
    count = out.count
    overflow = out.overflow
  }
}
