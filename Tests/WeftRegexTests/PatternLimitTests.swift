import Glibc
import Testing
import WeftIO
import WeftRegex

/// Hostile patterns and subjects. The bounds are processor time, ten times what was measured, so that a loaded machine
/// does not matter.
@Suite(.serialized) struct PatternLimitTests {
  static let hostile: [(text: String, subject: String)] = [
    ("(a+)+[bc]", String(repeating: "a", count: 40)),
    ("(a+)+[bc]", String(repeating: "a", count: 8000)),
    ("(a|aa)+[bc]", String(repeating: "a", count: 8000)),
    ("a*a*a*a*[bc]", String(repeating: "a", count: 8000)),
    ("(?:[ab]*+[cg]|a)*[de]", String(repeating: "a", count: 8000)),
    (".*.*.*[=;].*", String(repeating: "x", count: 8000)),
    ("(x+x+)+[yw]", String(repeating: "x", count: 8000)),
    ("(?:a(?:a(?:a|b)*)*)*[cd]", String(repeating: "a", count: 8000)),
    ("^(.*?,){11}[PQ]", String(repeating: ",", count: 5000)),
    ("(\\w+\\s?)*[!?]", String(repeating: "word ", count: 1600)),
    ("(?=(a+))a*\\1[bc]", String(repeating: "a", count: 8000)),
    ("(a(?1)?a|a)[bc]", String(repeating: "a", count: 8000)),
    ("(?:(?:a?){30}a{30}|x)[bc]", String(repeating: "a", count: 30)),
  ]

  @Test(arguments: [Pattern.Anchoring.whole, .start, .anywhere], [true, false])
  func endsSoon(anchoring: Pattern.Anchoring, machineCode: Bool) throws {
    let scratch = try ScratchBox()
    for (text, subject) in Self.hostile {
      let pattern = try Pattern(machineCode ? text : "(*NO_JIT)" + text, anchoring: anchoring)
      let owned = OwnedBytes(subject)
      let start = processorTime()
      // Either a refusal or, where the optimiser saw through it, no match.
      do { #expect(try !scratch.matches(pattern, owned.bytes), "\(text)") } catch {
        #expect([.stepLimit, .memoryLimit, .timeLimit].contains(error), "\(text): \(error)")
      }
      let spent = processorTime() - start
      #expect(spent < (machineCode ? 0.25 : 1.5), "\(text) took \(spent) s")
      withExtendedLifetime(owned) {}
    }
  }

  @Test(arguments: ["", "(*NO_JIT)"])
  func givesUpRatherThanSayingNo(prefix: String) throws {
    let scratch = try ScratchBox()
    let subject = OwnedBytes(String(repeating: "a", count: 200))
    for anchoring in [Pattern.Anchoring.whole, .start, .anywhere] {
      let pattern = try Pattern(prefix + "(a+)+[bc]", anchoring: anchoring)
      #expect(throws: PatternMatchError.stepLimit) { try scratch.matches(pattern, subject.bytes) }
      // The scratch is as good as new.
      #expect(try scratch.matches(Pattern("a+", anchoring: anchoring), subject.bytes))
    }
    withExtendedLifetime(subject) {}
  }

  @Test func scansEndByTheClock() throws {
    // Each starting point stays below the limit of steps; all of them together take minutes.
    let subject = OwnedBytes(String(repeating: "a", count: 8000))
    let pattern = try Pattern("a*a*[bc]", anchoring: .anywhere)
    let scratch = try ScratchBox()
    #expect(throws: PatternMatchError.timeLimit) { try scratch.matches(pattern, subject.bytes) }
    withExtendedLifetime(subject) {}
  }

  @Test func replacingAllEndsByTheClock() throws {
    var limits = PatternLimits()
    limits.scanNanoseconds = 1_000_000
    let scratch = try ScratchBox(limits: limits)
    let pattern = try Pattern("(?=.*)a", anchoring: .anywhere)
    #expect(throws: PatternMatchError.timeLimit) {
      try scratch.replace(pattern, String(repeating: "a", count: 60_000), "b", all: true)
    }
  }

  @Test func expensivePointsAmongCheapOnesStillMatch() throws {
    // The match needs more steps than a window's share, at a point that is not the window's first.
    let subject = OwnedBytes(String(repeating: "-", count: 500) + "<" + String(repeating: "ab,", count: 1500) + ">")
    let pattern = try Pattern("<(?:[a-z]+,)+>", anchoring: .anywhere)
    let scratch = try ScratchBox()
    try scratch.withMatch(pattern, subject.bytes) { #expect($0?.range(0) == 500..<(500 + 4502)) }
  }

  @Test func deepRecursionRunsOutOfMemoryNotOfStack() throws {
    let subject = OwnedBytes(String(repeating: "(", count: 60_000))
    for prefix in ["", "(*NO_JIT)"] {
      var limits = PatternLimits()
      limits.steps = 10_000_000
      limits.work = Int.max / 2
      limits.stackBytes = 64 * 1024
      let scratch = try ScratchBox(limits: limits)
      let pattern = try Pattern(prefix + "(\\((?1)?\\)?)[xy]")
      #expect(throws: PatternMatchError.memoryLimit) { try scratch.matches(pattern, subject.bytes) }
    }
    withExtendedLifetime(subject) {}
  }

  private func processorTime() -> Double {
    var time = timespec()
    #expect(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
