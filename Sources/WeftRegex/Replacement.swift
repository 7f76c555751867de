import WeftIO

/// The text that takes a match's place: `$1` or `${1}` stands for a group, `${name}` for a named one, `$0` for the
/// whole match and `$$` for a dollar sign. A group that took no part stands for nothing.
public final class Replacement: Sendable {
  struct Piece: Sendable {
    var start: Int
    var count: Int
    /// The group that follows the literal text; -1: none.
    var group: Int
  }

  let literals: OwnedBytes
  let pieces: [Piece]

  /// Compiles `text` for use with `pattern`, whose groups it names.
  public init(_ text: String, for pattern: Pattern) throws(PatternError) {
    let source = Array(text.utf8)
    var literals: [UInt8] = []
    var pieces: [Piece] = []
    var start = 0
    var i = 0
    while i < source.count {
      if source[i] != 0x24 {
        literals.append(source[i])
        i += 1
        continue
      }
      if i + 1 < source.count && source[i + 1] == 0x24 {
        literals.append(0x24)
        i += 2
        continue
      }
      let reference = try Replacement.reference(in: source, at: i, text, pattern)
      pieces.append(Piece(start: start, count: literals.count - start, group: reference.group))
      start = literals.count
      i = reference.end
    }
    if literals.count > start { pieces.append(Piece(start: start, count: literals.count - start, group: -1)) }
    self.literals = OwnedBytes(literals)
    self.pieces = pieces
  }

  /// Reads the reference whose `$` is at `at`.
  private static func reference(
    in source: [UInt8], at: Int, _ text: String, _ pattern: Pattern
  ) throws(PatternError) -> (group: Int, end: Int) {
    var start = at + 1
    var end = start
    let braced = start < source.count && source[start] == 0x7b
    if braced {
      start += 1
      end = source[start...].firstIndex(of: 0x7d) ?? start
    } else {
      while end < source.count && source[end] >= 0x30 && source[end] <= 0x39 { end += 1 }
    }
    let name = String(decoding: source[start..<end], as: UTF8.self)
    if name.isEmpty {
      let message = "`$` must be followed by a group's number, `{name}` or, for a dollar sign, another `$`"
      throw PatternError(text: text, message: message, offset: at)
    }
    guard let group = Int(name) ?? pattern.groupNumber(name), group >= 0, group <= pattern.groupCount else {
      throw PatternError(text: text, message: "the pattern has no group \"\(name)\"", offset: at)
    }
    return (group, braced ? end + 1 : end)
  }

  /// Appends the text for `match` to `output`.
  public func append(
    _ match: PatternMatch, to output: inout GrowableBytes, limit: Int
  ) throws(PatternMatchError) {
    for piece in pieces {
      let literal = Bytes(literals.bytes.base + piece.start, piece.count)
      if !output.append(literal, limit: limit) { throw .outputLimit }
      if piece.group < 0 { continue }
      if let bytes = match[piece.group], !output.append(bytes, limit: limit) { throw .outputLimit }
    }
  }
}

extension Pattern {
  /// Writes `subject` to `output` with the first match, or all of them, replaced. A pattern that is not `.anywhere`
  /// matches once at most. `output` must not be the memory that `subject` lies in, and may hold a part of the result
  /// when this throws.
  /// - Parameter limit: bytes that `output` may hold at the end; beyond it, `PatternMatchError.outputLimit`.
  /// - Returns: how many were replaced; with 0, `output` holds a copy of `subject`.
  public func replace(
    in subject: Bytes, with replacement: Replacement, all: Bool, into output: inout GrowableBytes, limit: Int,
    scratch: borrowing PatternScratch
  ) throws(PatternMatchError) -> Int {
    var clock = ScanClock(limit: scratch.limits.scanNanoseconds)
    var replaced = 0
    var copied = 0
    var from = 0
    while from <= subject.count {
      let n = try setGroups(subject, from: from, scratch, &clock)
      let match = PatternMatch(offsets: scratch.offsets, setGroups: n, subject: subject)
      // `\K` may put the start of a match before or behind where the search began; such a one ends the search.
      guard n > 0, let range = match.range(0), range.lowerBound >= copied, range.upperBound >= from else { break }
      if !output.append(subject.slice(copied, range.lowerBound), limit: limit) { throw .outputLimit }
      try replacement.append(match, to: &output, limit: limit)
      copied = range.upperBound
      from = range.isEmpty ? characterEnd(subject, range.upperBound) : range.upperBound
      replaced &+= 1
      if !all || anchoring != .anywhere { break }
      if replaced & 63 == 0 && clock.hasExpired() { throw .timeLimit }
    }
    if !output.append(subject.slice(copied, subject.count), limit: limit) { throw .outputLimit }
    return replaced
  }

  /// Where the character at `at` ends.
  private func characterEnd(_ subject: Bytes, _ at: Int) -> Int {
    var end = at &+ 1
    if options.contains(.utf8) {
      while end < subject.count && subject[end] & 0xc0 == 0x80 { end &+= 1 }
    }
    return end
  }
}
