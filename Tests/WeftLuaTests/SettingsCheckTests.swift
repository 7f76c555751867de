import CLuaHost
import Testing
import WeftBundle
import WeftConfig
import WeftFilter

@testable import WeftLua

/// `check_settings`: what a script says of settings before they are used.
@Suite struct SettingsCheckTests {
  /// What decoding says; nil when the settings are fine.
  private func finding(_ check: String, _ settings: String, limits: String = "") throws -> String? {
    let bench = try ScriptBench()
    let config = "script: |\n  function on_request(h) end\n  \(check)\nsettings: \(settings)\n\(limits)"
    do {
      _ = try bench.decode(config)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: [
    "function check_settings(s) end", "function check_settings(s) return nil end",
    "function check_settings() return end",
    "function check_settings(s) assert(s.a[2] == 2 and s.b.c == 'd' and #s.a == 2 and next(s.none) == nil) end",
    "function check_settings(s) return nil, 'a', 1 end",
    // Nothing of it is there for long, and nothing reaches anybody.
    "function check_settings(s) print('x') weft.log('info', 'x') weft.shared('d'):set('a', 1) end",
  ])
  func fine(_ check: String) throws {
    #expect(try finding(check, "{a: [1, 2], b: {c: d}, none: {}}") == nil)
  }

  @Test(arguments: [
    ("return 'is odd'", "filter.yaml:5: settings: is odd"),
    ("return 'is odd', 'a'", "filter.yaml:5: settings.a: is odd"),
    ("return 'is odd', 'list', 2, 'c'", "filter.yaml:8: settings.list[1].c: is odd"),
    ("return 'is odd', 'list', 2.0", "lead to the setting, not a number"),
    ("return 'is odd', 'list', 9, 'x'", "filter.yaml:7: settings.list[8].x: is odd"),
    ("return 'is odd', 'none', 'inner'", "filter.yaml:5: settings.none.inner: is odd"),
    ("return 'one\\ntwo'", "filter.yaml:5: settings: one"),
    ("return ''", "filter.yaml:5: settings: "),
    ("return '\\255'", "filter.yaml:5: settings: "),
    ("return false", "check_settings returns nothing, or what is wrong as a string, not a boolean"),
    ("return {}", "not a table"), ("return 5", "not a number"),
    ("return 'x', {}", "after what is wrong, the names and positions that lead to the setting, not a table"),
    ("return 'x', table.unpack(s.many)", "a path of more than 16 steps"),
    ("error('broken')", "filter.yaml:5: settings: check_settings failed: script.lua:2: broken"),
    ("error({})", "check_settings failed: "), ("s.a = 1", "settings are read-only"),
    ("local x = s.none.y", "attempt to index"),
    ("weft.sleep(1)", "check_settings failed: "), ("weft.http.get{service = 'x'}", "check_settings failed: "),
    ("weft.every(1, function() end)", "is for the time when a script is loaded"),
    ("coroutine.yield()", "check_settings failed: "),
  ])
  func mistakes(_ body: String, _ message: String) throws {
    let settings = """

        a: 1
        list:
        - {c: 1}
        - {c: 2}
        many: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
      """
    let found = try #require(try finding("function check_settings(s) \(body) end", settings), "\(body)")
    #expect(found.contains(message), "\(found)")
    #expect(found.split(separator: "\n").count == 1, "\(found)")
  }

  @Test func itIsAFunction() throws {
    #expect(try finding("check_settings = 1", "{}")?.contains("check_settings is a number and no function") == true)
  }

  @Test(.enabled(if: wl_can_interrupt() != 0))
  func itIsBounded() throws {
    let endless = try finding("function check_settings(s) while true do end end", "{}")
    #expect(endless?.contains("has used up its processor time (1000 ms)") == true, "\(endless ?? "")")
    // A second, whatever a call may have.
    let long = "function check_settings(s) local n = 0 for i = 1, 2000000 do n = n + i end end"
    #expect(try finding(long, "{}", limits: "limits: {cpu: 1ms}") == nil)
    let large = try finding("function check_settings(s) return ('x'):rep(1e9) end", "{}")
    #expect(large?.contains("memory limit") == true, "\(large ?? "")")
    let text = try #require(try finding("function check_settings(s) return ('x'):rep(100000) end", "{}"))
    #expect(text.utf8.count < 2000)
  }

  @Test("every use of a bundle is checked, also of one that is known")
  func eachUse() throws {
    let bench = try ScriptBench()
    func config(_ value: Int) -> String {
      "script: |\n  function on_request(h) end\n  function check_settings(s) if s.a > 1 then return 'too much', 'a' end end\n"
        + "settings: {a: \(value)}"
    }
    let kept = try bench.decode(config(1))
    #expect(throws: ConfigError.self) { try bench.decode(config(2)) }
    #expect(try bench.decode(config(0)).fingerprint == kept.fingerprint)
    #expect(throws: ConfigError.self) { try bench.decode(config(3)) }
  }

  @Test("the examples of a manifest are checked with the bundle")
  func examples() throws {
    let folder = try BundleFolders()
    let manifest = """
      settings:
        type: object
        properties: {low: {type: integer, default: 5}, high: {type: integer, default: 1}}
        examples:
        - {low: 1, high: 2}
        - {low: 3, high: 2}
        - {low: 4}
      """
    let script = "function on_request(h) end\nfunction check_settings(s)\n"
    try folder.add(
      "range", manifest: manifest, main: script + "  if s.low > s.high then return 'low is above high', 'low' end\nend")
    let found = LuaBundleCheck.findings(try Bundle(folder: folder.path + "/range")).map(\.description)
    #expect(
      found == [
        "\(folder.path)/range/bundle.yaml:8: settings.examples[1].low: low is above high",
        "\(folder.path)/range/bundle.yaml:9: settings.examples[2].low: low is above high",
      ])
    // The defaults alone may lack something, but the check must cope with them.
    try folder.add("raises", manifest: manifest, main: script + "  if s.low == 5 then error('five') end\nend")
    let raised = LuaBundleCheck.findings(try Bundle(folder: folder.path + "/raises")).map(\.description)
    #expect(raised.count == 1 && raised[0].contains("settings: check_settings failed: main.lua:3: five"), "\(raised)")
  }
}
