import Testing
import WeftFilterTest

@Suite("Definitions for editors")
struct EditorHelpTests {
  @Test("name every method and function that scripts have, and nothing else")
  func scripts() throws {
    let there = try APIListing.scripts()
    let declared = APIListing.declared(EditorHelp.definitions).filter { !$0.hasPrefix("Logger:") }
    #expect(there.contains("Handle:headers") && there.contains("weft.json.decode"))
    let missing = there.subtracting(declared).sorted()
    let extra = declared.subtracting(there).sorted()
    #expect(missing.isEmpty, "missing in docs/lua/weft.lua: \(missing.joined(separator: ", "))")
    // What is on its way into the host is declared already.
    withKnownIssue(isIntermittent: true) {
      #expect(extra.isEmpty, "in docs/lua/weft.lua, but not in the host: \(extra.joined(separator: ", "))")
    }
  }

  @Test("name every function that tests have, and nothing else")
  func tests() throws {
    let declared = APIListing.declared(EditorHelp.testDefinitions)
    var names: Set<String> = []
    for name in declared { names.insert(String(name.split(whereSeparator: { $0 == "." || $0 == ":" })[0])) }
    names.insert("test")
    names.remove("Exchange")
    // What a file of tests finds among its globals beyond what a script does.
    let list = names.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
    try ScratchBundle.pass(
      "function on_request(h) h:headers():add('x-globals', globals) end globals = ''\nfor name in pairs(_G) do globals = globals .. name .. ' ' end",
      """
      local declared = {}
      for _, name in ipairs{\(list)} do declared[name] = true end
      test("globals", function()
        local known = {}
        for name in request{}.upstream.headers["x-globals"]:gmatch("%S+") do known[name] = true end
        local missing = {}
        for name in pairs(_G) do
          if not known[name] and not declared[name] then missing[#missing + 1] = name end
        end
        assert_equal(missing, {}, "not in docs/lua/weft-test.lua")
        for name in pairs(declared) do assert_true(_G[name], "in docs/lua/weft-test.lua, but not there: " .. name) end
        for _, name in ipairs{"now", "set", "advance"} do assert_true(clock[name]) end
      end)
      """)
  }

  @Test("are written beside a bundle where they are no part of it")
  func files() {
    #expect(EditorHelp.files.map(\.path) == [".luarc.json", ".weft/weft.lua", ".weft/weft-test.lua"])
    #expect(EditorHelp.definitions.hasPrefix("---@meta\n"))
  }
}
