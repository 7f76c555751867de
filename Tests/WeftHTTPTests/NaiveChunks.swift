import WeftHTTP

/// A second reading of RFC 9112 7.1, over a whole array, to hold tracker and decoder against.
struct NaiveChunks: Equatable {
  enum Verdict: Equatable {
    case incomplete, refused
    case complete(length: Int)
  }

  var verdict = Verdict.incomplete
  var data: [UInt8] = []
  /// `name: value`.
  var trailers: [String] = []

  private struct Stop: Error { var verdict: Verdict }

  private var input: [UInt8]
  private var at = 0
  private var extensionBytes = 0

  private init(input: [UInt8]) { self.input = input }

  static func decode(_ input: [UInt8]) -> NaiveChunks {
    var reader = NaiveChunks(input: input)
    do {
      try reader.run()
    } catch let stop as Stop {
      reader.verdict = stop.verdict
    } catch {
      reader.verdict = .refused
    }
    return reader
  }

  private mutating func run() throws {
    while true {
      let size = try readSizeLine()
      if size == 0 { break }
      for _ in 0..<size { data.append(try next()) }
      try expectCRLF()
    }
    let start = at
    var count = 0
    while true {
      if try peek(start) == 13 {
        _ = try next(start)
        if try next(start) != 10 { throw Stop(verdict: .refused) }
        break
      }
      count += 1
      if count > 64 { throw Stop(verdict: .refused) }
      try readTrailer(start)
    }
    verdict = .complete(length: at)
  }

  private func peek(_ trailerStart: Int? = nil) throws -> UInt8 {
    if at == input.count { throw Stop(verdict: .incomplete) }
    if let trailerStart, at - trailerStart == 8192 { throw Stop(verdict: .refused) }
    return input[at]
  }

  private mutating func next(_ trailerStart: Int? = nil) throws -> UInt8 {
    let byte = try peek(trailerStart)
    at += 1
    return byte
  }

  private mutating func expectCRLF() throws {
    if try next() != 13 { throw Stop(verdict: .refused) }
    if try next() != 10 { throw Stop(verdict: .refused) }
  }

  private mutating func readSizeLine() throws -> UInt64 {
    var size: UInt64 = 0
    var digits = 0
    while let digit = Int(String(Unicode.Scalar(try peek())), radix: 16), try peek() < 0x80 {
      at += 1
      digits += 1
      if digits > 16 || size > UInt64(Int64.max) / 16 { throw Stop(verdict: .refused) }
      size = size * 16 + UInt64(digit)
    }
    if digits == 0 { throw Stop(verdict: .refused) }
    while try peek() != 13 { try readExtension() }
    try expectCRLF()
    return size
  }

  private mutating func extensionByte() throws -> UInt8 {
    let byte = try next()
    extensionBytes += 1
    if extensionBytes > data.count + 4096 { throw Stop(verdict: .refused) }
    return byte
  }

  private mutating func skipSpace() throws {
    while try peek() == 32 || (try peek()) == 9 { _ = try extensionByte() }
  }

  private mutating func readToken() throws {
    var count = 0
    while NaiveChunks.isToken(try peek()) {
      _ = try extensionByte()
      count += 1
    }
    if count == 0 { throw Stop(verdict: .refused) }
  }

  private mutating func readExtension() throws {
    try skipSpace()
    if try extensionByte() != 0x3b { throw Stop(verdict: .refused) }
    try skipSpace()
    try readToken()
    let nameEnd = at
    try skipSpace()
    if try peek() != 0x3d {
      // White space belongs to what follows: to another extension, for at the end of the line it may not stand.
      if at > nameEnd, try peek() != 0x3b { throw Stop(verdict: .refused) }
      return
    }
    _ = try extensionByte()
    try skipSpace()
    if try peek() != 0x22 { return try readToken() }
    _ = try extensionByte()
    while true {
      var byte = try extensionByte()
      if byte == 0x22 { return }
      if byte == 0x5c { byte = try extensionByte() }
      if (byte < 0x20 && byte != 9) || byte == 0x7f { throw Stop(verdict: .refused) }
    }
  }

  private mutating func readTrailer(_ start: Int) throws {
    var name: [UInt8] = []
    while NaiveChunks.isToken(try peek(start)) { name.append(try next(start)) }
    if try next(start) != 0x3a || name.isEmpty { throw Stop(verdict: .refused) }
    let nameText = String(decoding: name, as: UTF8.self)
    if NaiveChunks.forbidden.contains(nameText.lowercased()) { throw Stop(verdict: .refused) }
    var value: [UInt8] = []
    while true {
      let byte = try next(start)
      if byte == 13 { break }
      if (byte < 0x20 && byte != 9) || byte == 0x7f { throw Stop(verdict: .refused) }
      value.append(byte)
    }
    if try next(start) != 10 { throw Stop(verdict: .refused) }
    while let first = value.first, first == 32 || first == 9 { value.removeFirst() }
    while let last = value.last, last == 32 || last == 9 { value.removeLast() }
    trailers.append(nameText + ": " + String(String.UnicodeScalarView(value.map { Unicode.Scalar($0) })))
  }

  private static func isToken(_ c: UInt8) -> Bool {
    switch c {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(c)
    }
  }

  private static let forbidden: Set = [
    "content-length", "transfer-encoding", "host", "connection", "keep-alive", "proxy-connection", "te", "trailer",
    "upgrade", "expect", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "content-type",
    "content-encoding", "content-range", "set-cookie", "cookie", "authorization", "proxy-authorization",
    "cache-control", "max-forwards",
  ]
}
