import Testing

@testable import WeftConfig

@Suite struct ConfigValuesTests {
  @Test(
    arguments: [
      ("0s", 0), ("10s", 10_000), ("500ms", 500), ("1h30m", 5_400_000), ("1h1m1s1ms", 3_661_001), ("1m1m", 120_000),
      ("99999h", 359_996_400_000),
    ] as [(String, Int64)])
  func durations(text: String, milliseconds: Int64) {
    #expect(ConfigDuration(text)?.milliseconds == milliseconds)
  }

  @Test(arguments: ["", "5", "s", "-1s", "1.5s", "100000s", "1s1s1s1s1s", "1 s", "1d", "1us", "１s"])
  func noDurations(text: String) {
    #expect(ConfigDuration(text) == nil)
  }

  @Test func durationArithmetic() {
    #expect(ConfigDuration.seconds(.max).nanoseconds == .max)
    #expect(ConfigDuration(nanoseconds: 1).milliseconds == 1)
    #expect(ConfigDuration.milliseconds(3_661_001).description == "1h1m1s1ms")
    #expect(ConfigDuration.zero.description == "0s")
    #expect(ConfigDuration.max == ConfigDuration("99999h99999h99999h99999h"))
  }

  @Test(arguments: [
    ("0", 0), ("512", 512), ("512B", 512), ("64KiB", 65536), ("64Ki", 65536), ("1MB", 1_000_000), ("1M", 1_000_000),
    ("2GiB", 2 << 30), ("9223372036854775807", Int.max),
  ])
  func sizes(text: String, bytes: Int) {
    #expect(ByteCount.parse(text) == bytes)
  }

  @Test(arguments: ["", "KiB", "-1", "1.5MB", "9223372036854775808", "9223372036854775807KiB", "1 MB", "1mb"])
  func noSizes(text: String) {
    #expect(ByteCount.parse(text) == nil)
  }

  @Test(
    arguments: [
      ("exmaple", "example"), ("Path", "path"), ("pathprefix", "PathPrefix"), ("wait", nil), ("", nil),
    ] as [(String, String?)])
  func suggestions(word: String, expected: String?) {
    #expect(Suggestion.nearest(to: word, among: ["example", "path", "PathPrefix", "retry"]) == expected)
  }

  @Test func stringRules() {
    func accepts(_ rule: StringRule, _ text: String) -> Bool { rule.problem(text) == nil }
    #expect(accepts(.dnsLabel, "a-1"))
    #expect(!accepts(.dnsLabel, "a.b") && !accepts(.dnsLabel, "-a") && !accepts(.dnsLabel, ""))
    #expect(accepts(.dnsSubdomain, "a.b-c.1") && !accepts(.dnsSubdomain, "a..b"))
    #expect(accepts(.hostname, "a.example.com") && !accepts(.hostname, "10.0.0.1") && !accepts(.hostname, "*.a"))
    #expect(accepts(.wildcardHostname, "*.a") && !accepts(.wildcardHostname, "a.*.b"))
    #expect(!accepts(.wildcardHostname, "*") && !accepts(.wildcardHostname, "A.b"))
    #expect(accepts(.headerName, "X-Tenant") && !accepts(.headerName, ":path") && !accepts(.headerName, ""))
    #expect(accepts(.headerValue, "") && accepts(.headerValue, "a b") && !accepts(.headerValue, "a\r\nb"))
    #expect(!accepts(.headerValue, " a"))
  }
}
