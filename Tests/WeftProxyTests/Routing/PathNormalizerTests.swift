import Testing
import WeftIO

@testable import WeftProxy

struct PathNormalizerTests {
  @Test(arguments: [
    "/", "//", "/a", "/a/", "/a/b", "/a//b", "/a.b", "/.a", "/..a", "/a..", "/...", "/....", "/a%2Fb", "/%2e%2e%2fa",
    "/%2E%2e%2e", "/%61", "*", "", "..", "../a", "/a/.b/c..d/...", "/file.name.js",
    "/longer/than/eight/bytes.and/more", "/..;/a", "/%252e%252e/a",
  ])
  func leavesNormalPathsAlone(_ path: String) {
    #expect(normalise(path) == .some(path))
    #expect(outcome(path).outcome == .unchanged)
    #expect(outcome(path).written.isEmpty)
  }

  @Test(arguments: [
    ("/.", "/"), ("/./", "/"), ("/a/.", "/a/"), ("/a/./", "/a/"), ("/a/./b", "/a/b"), ("/a/..", "/"), ("/a/../", "/"),
    ("/a/../b", "/b"), ("/a/b/..", "/a/"), ("/a/b/../", "/a/"), ("/a/b/../c", "/a/c"), ("/a/b/../../c", "/c"),
    ("/%2e", "/"), ("/a/%2E/b", "/a/b"), ("/a/%2e%2E/b", "/b"), ("/a/.%2e/b", "/b"), ("/a/%2e./b", "/b"),
    ("/a/%2e%2e", "/"), ("//..", "/"), ("/a//../b", "/a/b"), ("//../b", "/b"), ("/a/..//b", "//b"),
    ("/x/../a%2Fb", "/a%2Fb"),
    ("/./%61", "/%61"), ("/static/../admin", "/admin"), ("/static/%2e%2e/admin", "/admin"),
  ])
  func resolvesDotSegments(_ path: String, _ expected: String) {
    #expect(normalise(path) == .some(expected))
    #expect(outcome(path).outcome == .changed)
    #expect(normalise(expected) == .some(expected))
  }

  @Test(arguments: [
    "/..", "/../", "/../a", "/./..", "/a/../..", "/a/../../b", "/%2e%2e", "/%2e%2e/a", "/a/b/../../../c", "/.%2E/",
  ])
  func refusesToClimbAboveTheRoot(_ path: String) {
    #expect(outcome(path).outcome == .refused)
  }

  @Test(arguments: ["/a%", "/%", "/%2", "/%2x", "/%zz", "/%00", "/a/%00b", "/a%20%", "/%61%zz"])
  func refusesWhatIsNoPercentCodeOrStandsForNUL(_ path: String) {
    #expect(outcome(path).outcome == .refused)
  }

  @Test(arguments: [
    ("/%61dmin", "/admin"), ("/%41%5a%7E%2d%5F%30", "/AZ~-_0"), ("/a%2Fb", "/a%2Fb"), ("/%252e", "/%252e"),
    ("/a%2eb", "/a.b"),
    ("/%2e%2e%61", "/..a"), ("/a/%2e%2e/%62", "/b"), ("/%20", "/%20"), ("/a//b", "/a//b"),
  ])
  func decodesWhatNeedsNoEncoding(_ path: String, _ expected: String) {
    #expect(normalise(path, [.decodeUnreserved]) == .some(expected))
    #expect(normalise(expected, [.decodeUnreserved]) == .some(expected))
  }

  @Test(arguments: [
    ("//", "/"), ("/a//b", "/a/b"), ("//a", "/a"), ("/a//", "/a/"), ("///a///b///", "/a/b/"), ("/a/b", "/a/b"),
    ("/a//../b", "/b"),
    ("//./a", "/a"), ("/a/.//b", "/a/b"),
  ])
  func mergesSlashes(_ path: String, _ expected: String) {
    #expect(normalise(path, [.mergeSlashes]) == .some(expected))
    #expect(normalise(expected, [.mergeSlashes]) == .some(expected))
  }

  @Test func refusesWhatDoesNotFit() {
    let path = OwnedBytes("/./abcdef")
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 6) { buffer in
      guard let base = buffer.baseAddress else { return }
      var w = ByteWriter(base, 6)
      #expect(PathNormalizer.normalise(path.bytes, into: &w) == .refused)
    }
    withExtendedLifetime(path) {}
  }

  /// Against a reading of RFC 3986 5.2.4 on lists of elements.
  @Test func agreesWithTheReference() {
    var random = SeededGenerator(state: 42)
    let elements = [".", "..", "%2e", "%2E.", "a", "bb", "", "...", "%61", "c.d", "%2f", "a%2Eb"]
    for _ in 0..<20_000 {
      let path =
        "/"
        + (0..<Int.random(in: 0...6, using: &random)).map { _ in elements.randomElement(using: &random) ?? "" }
        .joined(separator: "/")
      for raw in 0..<4 as Range<UInt8> {
        let options = PathNormalizer.Options(rawValue: raw)
        let found = normalise(path, options)
        #expect(found == reference(path, options), "\(path) \(raw)")
        if let found { #expect(normalise(found, options) == found, "\(path) \(raw)") }
      }
    }
  }

  private func reference(_ path: String, _ options: PathNormalizer.Options) -> String? {
    func decoded(_ text: String, _ codes: [String: String]) -> String {
      var result = text
      for (code, plain) in codes {
        while let range = result.firstRange(of: code) { result.replaceSubrange(range, with: plain) }
      }
      return result
    }
    let dots = ["%2e": ".", "%2E": "."]
    var output: [String] = []
    let input = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    for (i, element) in input.enumerated() {
      let isLast = i == input.count - 1
      let plain = decoded(element, dots)
      if plain == "." || plain == ".." {
        if plain == ".." && output.popLast() == nil { return nil }
        if isLast { output.append("") }
      } else if !(options.contains(.mergeSlashes) && element.isEmpty && !isLast) {
        output.append(
          options.contains(.decodeUnreserved) ? decoded(element, dots.merging(["%61": "a"]) { a, _ in a }) : element)
      }
    }
    return "/" + output.joined(separator: "/")
  }

  /// The path that is routed, or nil when it is refused.
  private func normalise(_ path: String, _ options: PathNormalizer.Options = []) -> String? {
    let (outcome, written) = outcome(path, options)
    switch outcome {
    case .unchanged: return path
    case .changed: return written
    case .refused: return nil
    }
  }

  private func outcome(
    _ path: String, _ options: PathNormalizer.Options = []
  ) -> (outcome: PathNormalizer.Outcome, written: String) {
    let owned = OwnedBytes(path)
    defer { withExtendedLifetime(owned) {} }
    let base = MutableBytePointer.allocate(capacity: path.utf8.count + 1)
    defer { base.deallocate() }
    var w = ByteWriter(base, path.utf8.count)
    let outcome = PathNormalizer.normalise(owned.bytes, options: options, into: &w)
    return (outcome, w.bytes.string)
  }
}
