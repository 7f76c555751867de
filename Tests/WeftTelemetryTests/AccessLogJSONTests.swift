import Foundation
import Testing
import WeftIO

@testable import WeftTelemetry

@Suite struct AccessLogJSONTests {
  @Test func theDefaultMembers() throws {
    let fields = TestFields(["user-agent": "curl/8", "x-request-id": "abc"])
    #expect(
      line(try AccessLogFormat(), Sample.record(), fields) == #"""
        {"start_time":"2026-11-23T06:08:40.765Z","method":"GET","path":"/shop/items?id=7&sort=up","protocol":"HTTP/1.1",\#
        "authority":"shop.example","response_code":200,"response_flags":"-","response_code_details":"via_upstream",\#
        "bytes_received":10,"bytes_sent":2048,"duration":12,"upstream_service_time":7,"x_forwarded_for":null,\#
        "user_agent":"curl/8","request_id":"abc","listener":"edge/http","route_name":"shop/0",\#
        "filters":"cors,tenant-tag","upstream_service":"items:80","upstream_host":"10.0.0.5:8080",\#
        "upstream_attempts":1,"upstream_transport_failure_reason":null,"downstream_remote_address":"192.0.2.7:51000",\#
        "downstream_local_address":"[2001:db8::1]:8080"}

        """#)
  }

  @Test func membersKeepOrderNestingAndTypes() throws {
    let format = try AccessLogFormat(json: [
      ("z", .text("%DURATION%")), ("a", .text("%DURATION% ms")), ("empty", .text("")),
      ("o", .object([("m\"x", .text("%REQ(:METHOD)%")), ("n", .object([]))])),
      ("l", .list([.text("%REQ(x)%"), .text("-%REQ(x)%"), .text("%RESPONSE_FLAGS% %START_TIME(%s)%")])),
      ("port", .text("%UPSTREAM_REMOTE_PORT%")), ("host", .text("100%%\n\"")),
    ])
    #expect(
      line(format, Sample.record(), NoAccessFields()) == #"""
        {"z":12,"a":"12 ms","empty":"","o":{"m\"x":"GET","n":{}},"l":[null,"--","- 1795414120"],"port":8080,"host":"100%\u000a\""}

        """#)
  }

  @Test(arguments: [
    ([0x22, 0x5c, 0x0a, 0x0d, 0x09, 0x00, 0x1b, 0x7f], #"\"\\\n\r\t\u0000\u001b\u007f"#),
    (Array("grün 漢 😀".utf8), "grün 漢 😀"),
    ([0xff, 0x61, 0xc0, 0x80], #"\ufffda\ufffd\ufffd"#),
    ([0xed, 0xa0, 0x80], #"\ufffd\ufffd\ufffd"#),
    ([0xf5, 0x80, 0x80, 0x80], #"\ufffd\ufffd\ufffd\ufffd"#),
    ([0xe2, 0x82], #"\ufffd\ufffd"#), ([0xf0, 0x9f, 0x98], #"\ufffd\ufffd\ufffd"#),
    ([0xe0, 0x80, 0x80], #"\ufffd\ufffd\ufffd"#), ([0xf4, 0x90, 0x80, 0x80], #"\ufffd\ufffd\ufffd\ufffd"#),
    (Array("\u{85}\u{2028}\u{202e}\u{2066}".utf8), #"\u0085\u2028\u202e\u2066"#),
  ])
  func foreignBytesAreMadeJSON(value: [UInt8], expected: String) throws {
    let format = try AccessLogFormat(json: [("v", .text("%REQ(x)%"))])
    #expect(
      line(format, Sample.record(), TestFields(request: ["x": value])) == "{\"v\":\"\(expected)\"}\n")
  }

  /// Whatever the bytes: one line, valid UTF-8, valid JSON, and what was valid text comes back.
  @Test func randomBytesGiveValidJSON() throws {
    let format = try AccessLogFormat(json: [("v", .text("%REQ(x)%")), ("w", .text("<%REQ(x):7%>"))])
    var random = SystemRandomNumberGenerator()
    for round in 0..<2000 {
      let count = Int.random(in: 1...40, using: &random)
      let value = (0..<count).map { _ in
        round % 2 == 0
          ? UInt8.random(in: 0...255, using: &random)
          : [0x22, 0x5c, 0xc3, 0xa9, 0xe2, 0x80, 0xa8, 0x61].randomElement(using: &random) ?? 0
      }
      let out = lineBytes(format, Sample.record(), TestFields(request: ["x": value]))
      #expect(out.filter { $0 == 0x0a }.count == 1)
      #expect(String(validating: out, as: UTF8.self) != nil)
      let object = try #require(try JSONSerialization.jsonObject(with: Data(out)) as? [String: Any], "\(value)")
      let read = try #require(object["v"] as? String)
      if let text = String(validating: value, as: UTF8.self) { #expect(read == text) }
    }
  }

  @Test func aCutEndsBetweenCharacters() throws {
    let format = try AccessLogFormat(json: [("v", .text("%REQ(x):4%"))])
    #expect(line(format, Sample.record(), TestFields(["x": "abcé"])) == "{\"v\":\"abc\"}\n")
    #expect(line(format, Sample.record(), TestFields(["x": "a😀b"])) == "{\"v\":\"a\"}\n")
    #expect(line(format, Sample.record(), TestFields(["x": "😀b"])) == "{\"v\":\"😀\"}\n")
  }
}
