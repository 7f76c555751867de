import Testing

@testable import WeftTelemetry

@Suite struct AccessLogFormatErrorTests {
  @Test(arguments: [
    ("%REQ(USER-AGENT)", "has no closing '%'"),
    ("100%", "has no closing '%'"),
    ("%STRT_TIME%", "unknown operator '%STRT_TIME%'; did you mean '%START_TIME%'?"),
    ("%duration%", "did you mean '%DURATION%'?"),
    ("%RESPONSE_CODE_DETAIL%", "did you mean '%RESPONSE_CODE_DETAILS%'?"),
    ("%WHOLLY_DIFFERENT_THING%", "unknown operator '%WHOLLY_DIFFERENT_THING%'"),
    ("%DURATION(ms)%", "takes no argument"),
    ("%REQ%", "is no header name"),
    ("%REQ()%", "is no header name"),
    ("%REQ(a b)%", "is no header name"),
    ("%REQ(a\n)%", "is no header name"),
    ("%REQ(a?b?c)%", "more than one alternative"),
    ("%REQ(:METHD)%", "unknown pseudo-header ':methd'; did you mean ':method'?"),
    ("%RESP(:PATH)%", "unknown pseudo-header"),
    ("%REQ(a%", "has no closing '%'"),
    ("%REQ(a):x%", "a length of 1 to"),
    ("%REQ(a):0%", "a length of 1 to"),
    ("%REQ(a):-1%", "a length of 1 to"),
    ("%REQ(a):99999999999999999999%", "a length of 1 to"),
    ("%REQ(a)b%", "a length of 1 to"),
    ("%START_TIME(%Q)%", "'%Q' is unknown"),
    ("%START_TIME(%3S)%", "'f' only"),
    ("%START_TIME(%E)%", "middle of a conversion"),
    ("%START_TIME(\")%", "printable ASCII"),
    ("%START_TIME(\n)%", "printable ASCII"),
    ("%START_TIME(%f%f%f%f%f)%", "more than 4 fractions"),
    ("%START_TIME(%A %B %A %B %A %B %A %B %A %B %A %B %A %B)%", "more than 96 bytes"),
    ("%PATH(XX)%", "WQ"),
    ("%PATH(WQ:XX)%", "ORIG"),
    ("%PATH(WQ:ORIG:1)%", "two arguments"),
    ("%QUERY_PARAM()%", "names no parameter"),
    ("%ENVIRONMENT()%", "names no variable"),
    ("%COMMON_DURATION(DS_RX_BEG:DS_RX_END)%", "is written"),
    ("%COMMON_DURATION(DS_RX_BEG:XX:ms)%", "'XX' is none of DS_RX_BEG"),
    ("%COMMON_DURATION(DS_RX_BEG:DS_RX_END:s)%", "ms, us or ns"),
  ])
  func mistakesAreNamed(format: String, reason: String) {
    do {
      _ = try AccessLogFormat(text: format)
      Issue.record("accepted: \(format)")
    } catch {
      #expect("\(error)".contains(reason))
    }
  }

  @Test func formatsAreBounded() {
    #expect(throws: AccessLogFormatError.self) {
      try AccessLogFormat(text: String(repeating: "x", count: 20_000))
    }
    #expect(throws: AccessLogFormatError.self) {
      try AccessLogFormat(text: String(repeating: "%DURATION%", count: 600))
    }
  }

  @Test func jsonMistakesNameTheMember() {
    func description(_ members: [(String, AccessLogFormat.Value)]) -> String {
      do {
        _ = try AccessLogFormat(json: members)
        return "accepted"
      } catch { return "\(error)" }
    }
    #expect(
      description([("a", .object([("b", .list([.text("x"), .text("%DURATIO%")]))]))])
        == "a.b[1]: unknown operator '%DURATIO%'; did you mean '%DURATION%'?")
    #expect(description([("a", .text("")), ("a", .text(""))]) == "a: stands twice")
    var deep = AccessLogFormat.Value.text("x")
    for _ in 0..<9 { deep = .object([("d", deep)]) }
    #expect(description([("a", deep)]).contains("nested deeper"))
    #expect(description((0..<300).map { ("m\($0)", .text("")) }).contains("more than 256 members"))
  }
}
