import Testing
import WeftIO
import WeftRegex

struct PatternTests {
  let scratch: ScratchBox

  init() throws { scratch = try ScratchBox() }

  @Test(arguments: [
    ("/a/[0-9]+", Pattern.Anchoring.whole, "/a/12", true),
    ("/a/[0-9]+", .whole, "/a/12/", false),
    ("/a/[0-9]+", .whole, "x/a/12", false),
    ("a|ab", .whole, "ab", true),
    ("/a/[0-9]+", .start, "/a/12/", true),
    ("/a/[0-9]+", .start, "x/a/12", false),
    ("/a/[0-9]+", .anywhere, "x/a/12/", true),
    ("/a/[0-9]+", .anywhere, "x/a//", false),
    ("", .whole, "", true),
    ("", .whole, "a", false),
    ("^b$", .anywhere, "ab", false),
    ("A", .whole, "a", false),
  ])
  func anchoring(text: String, anchoring: Pattern.Anchoring, subject: String, expected: Bool) throws {
    for text in [text, "(*NO_JIT)" + text] {
      let pattern = try Pattern(text, anchoring: anchoring)
      let subject = OwnedBytes(subject)
      #expect(try scratch.matches(pattern, subject.bytes) == expected)
      withExtendedLifetime(subject) {}
    }
  }

  @Test func translatesToMachineCodeUnlessTold() throws {
    #expect(try Pattern("a+b").usesMachineCode)
    #expect(try !Pattern("(*NO_JIT)a+b").usesMachineCode)
  }

  @Test func options() throws {
    #expect(try matches("ab", "AB", [.caseInsensitive]))
    #expect(try !matches("a.b", "a\nb", []))
    #expect(try matches("a.b", "a\nb", [.dotMatchesNewline]))
    #expect(try !matches("(?:^a$\\n?)+", "a\na", []))
    #expect(try matches("(?:^a$\\n?)+", "a\na", [.multiline]))
    #expect(try !matches("a.b", "a\u{e9}b", []))
    #expect(try matches("a.b", "a\u{e9}b", [.utf8]))
  }

  @Test func bytesThatAreNotUTF8MatchNothing() throws {
    let pattern = try Pattern("a.*", options: [.utf8])
    let subject = OwnedBytes([0x61, 0xff, 0xfe] as [UInt8])
    #expect(try !scratch.matches(pattern, subject.bytes))
    withExtendedLifetime(subject) {}
  }

  @Test(arguments: [
    ("a(b", "missing closing parenthesis", 3),
    ("a[b", "missing terminating ] for character class", 3),
    ("*", "quantifier does not follow a repeatable item", 0),
    ("(?<=a+)b", "lookbehind assertion is not fixed length", 0),
    ("a\\Cb", "using \\C is disabled by the application", 2),
  ])
  func errorsNameTheOffset(text: String, message: String, offset: Int) throws {
    let error = try #require(throws: PatternError.self) { try Pattern(text) }
    #expect(error.message == message)
    #expect(error.text == text)
    #expect(abs(error.offset - offset) <= 1)
    #expect("\(error)".contains("at offset \(error.offset): \(message)"))
  }

  @Test func refusesWhatIsTooLarge() {
    #expect(throws: PatternError.self) { try Pattern(String(repeating: "a", count: Pattern.lengthLimit + 1)) }
    #expect(throws: PatternError.self) { try Pattern(String(repeating: "(a)", count: Pattern.groupLimit + 1)) }
    #expect(throws: PatternError.self) { try Pattern("(((((a{999}){999}){999}){999}){999})") }
    #expect(throws: PatternError.self) {
      try Pattern(String(repeating: "(", count: 5000) + String(repeating: ")", count: 5000))
    }
    #expect(throws: PatternError.self) { try Pattern("(*UTF)a") }
  }

  @Test func acceptsAllGroupsItPromises() throws {
    let pattern = try Pattern(String(repeating: "(a)", count: Pattern.groupLimit))
    let subject = OwnedBytes(String(repeating: "a", count: Pattern.groupLimit))
    #expect(pattern.groupCount == Pattern.groupLimit)
    try scratch.withMatch(pattern, subject.bytes) { match in
      let match = try #require(match)
      #expect(match[Pattern.groupLimit]?.string == "a")
      #expect(match[Pattern.groupLimit + 1] == nil)
    }
  }

  @Test func groups() throws {
    let pattern = try Pattern("/(?<tenant>[a-z]+)(/x)?/(\\d+)", anchoring: .anywhere)
    let subject = OwnedBytes("see /acme/42 there")
    #expect(pattern.groupNumber("tenant") == 1)
    #expect(pattern.groupNumber("nobody") == nil)
    try scratch.withMatch(pattern, subject.bytes) { match in
      let match = try #require(match)
      #expect(match.bytes.string == "/acme/42")
      #expect(match.range(0) == 4..<12)
      #expect(match[1]?.string == "acme")
      #expect(match[2] == nil)
      #expect(match[3]?.string == "42")
      #expect(match[4] == nil)
      #expect(match[-1] == nil)
    }
  }

  @Test func startsWhereTold() throws {
    let pattern = try Pattern("a", anchoring: .anywhere)
    let subject = OwnedBytes("a-a")
    for (from, expected) in [(0, 0), (1, 2), (2, 2), (3, nil), (4, nil), (-1, nil)] {
      try scratch.withMatch(pattern, subject.bytes, from: from) { #expect($0?.range(0)?.lowerBound == expected) }
    }
  }

  /// Every starting point is tried, whatever window it falls into.
  @Test func findsMatchesAnywhereInLongSubjects() throws {
    let pattern = try Pattern("x[yz]", anchoring: .anywhere)
    for length in [0, 1, 62, 63, 64, 65, 126, 190, 191, 192, 193, 447, 448, 959, 960, 961, 5000] {
      let subject = OwnedBytes(String(repeating: "x", count: length) + "xz")
      try scratch.withMatch(pattern, subject.bytes) { #expect($0?.range(0) == length..<(length + 2)) }
      let other = OwnedBytes(String(repeating: "x", count: length))
      #expect(try !scratch.matches(pattern, other.bytes))
      withExtendedLifetime(other) {}
    }
  }

  private func matches(_ text: String, _ subject: String, _ options: Pattern.Options) throws -> Bool {
    let owned = OwnedBytes(subject)
    defer { withExtendedLifetime(owned) {} }
    return try scratch.matches(try Pattern(text, options: options), owned.bytes)
  }
}

/// A scratch that a test can keep in a property.
final class ScratchBox {
  private let scratch: PatternScratch

  init(limits: PatternLimits = PatternLimits()) throws { scratch = try PatternScratch(limits: limits) }

  func matches(_ pattern: Pattern, _ subject: Bytes) throws(PatternMatchError) -> Bool {
    try pattern.matches(subject, scratch: scratch)
  }

  func withMatch(_ pattern: Pattern, _ subject: Bytes, from: Int = 0, _ body: (PatternMatch?) throws -> Void) throws {
    try body(try pattern.firstMatch(in: subject, from: from, scratch: scratch))
  }

  func replace(_ pattern: Pattern, _ subject: String, _ text: String, all: Bool, limit: Int = 1 << 20) throws -> String
  {
    let replacement = try Replacement(text, for: pattern)
    let owned = OwnedBytes(subject)
    var output = GrowableBytes()
    _ = try pattern.replace(
      in: owned.bytes, with: replacement, all: all, into: &output, limit: limit, scratch: scratch)
    withExtendedLifetime(owned) {}
    return output.bytes.string
  }
}
