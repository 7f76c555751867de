import Testing
import WeftIO
import WeftRegex

struct ReplacementTests {
  @Test(arguments: [
    ("/v1/(.*)", Pattern.Anchoring.whole, "/v1/users", "/v2/$1", "/v2/users"),
    ("/v1/(.*)", .whole, "/v3/users", "/v2/$1", "/v3/users"),
    ("^/v1", .start, "/v1/v1", "/v2", "/v2/v1"),
    ("o", .anywhere, "foo boo", "0", "f00 b00"),
    ("(?<a>\\w+)-(\\w+)", .anywhere, "x-y, z-w", "${2}-${a}", "y-x, w-z"),
    ("a*", .anywhere, "baaac", "<$0>", "<>b<aaa><>c<>"),
    ("", .anywhere, "ab", "-", "-a-b-"),
    ("(a)|(b)", .anywhere, "ab", "[$1$2]", "[a][b]"),
    ("x", .anywhere, "x", "$$1", "$1"),
    ("(x)", .anywhere, "x", "${1}0", "x0"),
    ("x", .anywhere, "", "y", ""),
  ])
  func all(text: String, anchoring: Pattern.Anchoring, subject: String, with: String, expected: String) throws {
    let pattern = try Pattern(text, anchoring: anchoring)
    #expect(try ScratchBox().replace(pattern, subject, with, all: true) == expected)
  }

  @Test func onlyTheFirst() throws {
    #expect(try ScratchBox().replace(try Pattern("o", anchoring: .anywhere), "foo", "0", all: false) == "f0o")
  }

  @Test func emptyMatchesAdvanceByCharacters() throws {
    let pattern = try Pattern("", anchoring: .anywhere, options: [.utf8])
    #expect(try ScratchBox().replace(pattern, "\u{e9}a\u{20ac}", "-", all: true) == "-\u{e9}-a-\u{20ac}-")
  }

  @Test(arguments: [
    ("$2", 0), ("a$", 1), ("ab${1", 2), ("$x", 0), ("${nope}", 0), ("$1$", 2), ("$99999999999999999999", 0),
  ])
  func refusesReferencesToNothing(text: String, offset: Int) throws {
    let pattern = try Pattern("(a)")
    let error = try #require(throws: PatternError.self) { try Replacement(text, for: pattern) }
    #expect(error.offset == offset)
  }

  @Test func staysWithinTheLimit() throws {
    let pattern = try Pattern("a", anchoring: .anywhere)
    #expect(try ScratchBox().replace(pattern, "aaaa", "bb", all: true, limit: 8) == "bbbbbbbb")
    #expect(throws: PatternMatchError.outputLimit) {
      try ScratchBox().replace(pattern, "aaaa", "bb", all: true, limit: 7)
    }
  }
}
