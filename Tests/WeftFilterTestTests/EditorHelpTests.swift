import Foundation
import Testing

@testable import WeftFilterTest

@Suite("Definitions for editors")
struct EditorHelpTests {
  private static let scripts = DefinitionFile(EditorHelp.definitions)
  private static let tests = DefinitionFile(EditorHelp.testDefinitions)

  /// What Lua 5.4 itself has and the language server knows (manual, 6.1, 6.2, 6.4 to 6.7); of `os` the definitions say what
  /// is left.
  private static let standard: Set<String> = {
    let names = """
      assert collectgarbage error getmetatable ipairs load next pairs pcall print rawequal rawget rawlen rawset require \
      select setmetatable tonumber tostring type warn xpcall coroutine.close coroutine.create coroutine.isyieldable \
      coroutine.resume coroutine.running coroutine.status coroutine.wrap coroutine.yield string.byte string.char \
      string.find string.format string.gmatch string.gsub string.len string.lower string.match string.pack \
      string.packsize string.rep string.reverse string.sub string.unpack string.upper table.concat table.insert \
      table.move table.pack table.remove table.sort table.unpack math.abs math.acos math.asin math.atan math.ceil \
      math.cos math.deg math.exp math.floor math.fmod math.log math.max math.min math.modf math.rad math.random \
      math.randomseed math.sin math.sqrt math.tan math.tointeger math.type math.ult utf8.char utf8.codepoint \
      utf8.codes utf8.len utf8.offset
      """
    return Set(names.split(separator: " ").map(String.init))
  }()
  private static let standardValues: Set<String> = [
    "_VERSION", "math.huge", "math.maxinteger", "math.mininteger", "math.pi", "utf8.charpattern",
  ]

  private static func expectSame(_ declared: Set<String>, _ there: Set<String>, _ file: String) {
    let missing = there.subtracting(declared).sorted().joined(separator: ", ")
    let extra = declared.subtracting(there).sorted().joined(separator: ", ")
    #expect(missing.isEmpty, "missing in \(file): \(missing)")
    #expect(extra.isEmpty, "in \(file), but not there: \(extra)")
  }

  @Test("name every function, method and constant that scripts have, and nothing else")
  func scripts() throws {
    let there = try APIListing()
    #expect(there.functions.contains("Handle:headers") && there.functions.contains("weft.json.decode"))
    // A parent that no object is of.
    let declared = Set(Self.scripts.all.keys.filter { !$0.hasPrefix("Logger:") })
    Self.expectSame(declared, there.functions.subtracting(Self.standard), "docs/lua/weft.lua")
    let missing = Self.standard.subtracting(there.functions).sorted()
    #expect(missing.isEmpty, "editors offer what the host does not have: \(missing)")
    let constants = there.values.filter { !Self.standardValues.contains($0.key) }
    Self.expectSame(Set(Self.scripts.leaves.keys), Set(constants.keys), "docs/lua/weft.lua")
    for (name, value) in constants where value.first?.isNumber == true {
      #expect(Self.scripts.leaves[name] == value, "\(name)")
    }
    #expect(Self.scripts.mistakes == [])
  }

  @Test("name the fields of what scripts are given")
  func fields() throws {
    /// The fields of a class as a Lua table: whether each must be there.
    func table(_ name: String) throws -> String {
      let fields = try #require(Self.scripts.classes[name]?.fields)
      #expect(!fields.isEmpty)
      return "{" + fields.map { "\($0.key) = \(!$0.value)" }.joined(separator: ", ") + "}"
    }
    try ScratchBundle.pass(
      #"""
      local function keys(value)
        local names = {}
        for name in pairs(value) do names[#names + 1] = name end
        return table.concat(names, " ")
      end
      function on_request(h)
        h:logInfo("Url " .. keys(weft.url.parse("https://a:b@c:1/d?e#f")))
        h:logInfo("IpAddress " .. keys(weft.ip.parse("10.0.0.1:80")))
        h:logInfo("HttpAnswer " .. keys(weft.http.get{service = "users"}))
        if h:headers():get(":path") == "/own" then h:respond({[":status"] = "200"}, "") end
      end
      function on_log(x) x:logInfo("Record " .. keys(x:record())) end
      """#,
      """
      local declared = {
        Url = \(try table("Url")), IpAddress = \(try table("IpAddress")), HttpAnswer = \(try table("HttpAnswer")),
        Record = \(try table("Record")),
      }
      -- A proxy has one.
      local seen = {Record = {upstream = true}}

      test("fields", function()
        service("users", {})
        request{}
        request{path = "/own"}
        for _, line in ipairs(logs()) do
          local class, names = line.message:match("^(%w+) (.*)$")
          seen[class] = seen[class] or {}
          local there = {}
          for name in names:gmatch("[%w_]+") do
            assert_not_equal(declared[class][name], nil, "not in docs/lua/weft.lua: " .. class .. "." .. name)
            seen[class][name], there[name] = true, true
          end
          for name, is_required in pairs(declared[class]) do
            if is_required then assert_true(there[name], class .. "." .. name .. " may be missing") end
          end
        end
        for class, fields in pairs(declared) do
          for name in pairs(fields) do assert_true(seen[class][name], "only in docs/lua/weft.lua: " .. class .. "." .. name) end
        end
      end)
      """)
  }

  @Test("name the fields of what scripts give")
  func options() throws {
    let cookie = try #require(Self.scripts.classes["CookieAttributes"]?.fields.keys.sorted())
    let call = try #require(Self.scripts.classes["HttpCallOptions"]?.fields.keys.sorted())
    try ScratchBundle.pass(
      """
      function on_request(h)
        local fine, why = pcall(weft.cookie.build, "a", "1", {none = 1})
        local known = {}
        for name in why:match("there are (.*)$"):gmatch("[%w_]+") do known[#known + 1] = name end
        table.sort(known)
        h:headers():add("x-cookie", table.concat(known, " "))
        local head = {[":method"] = "GET", [":path"] = "/", [":authority"] = "a"}
        for _, name in ipairs{\(call.map { "\"\($0)\"" }.joined(separator: ", "))} do
          local value = true
          if name == "timeout_ms" then value = 10 end
          h:httpCall("users", head, nil, {[name] = value})
        end
        h:headers():add("x-refused", tostring(pcall(h.httpCall, h, "users", head, nil, {none = true})))
      end
      """,
      """
      test("options", function()
        service("users", {})
        local res = request{}
        assert_equal(res.upstream.headers["x-cookie"], "\(cookie.joined(separator: " "))")
        assert_equal(res.upstream.headers["x-refused"], "false")
      end)
      """)
  }

  // MARK: Tests

  @Test("name every function that tests have, with its arguments, and nothing else")
  func tests() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let library = try String(contentsOfFile: "\(root)/Sources/CLuaTest/test.lua", encoding: .utf8)
    // What is no local function there is a global, or a method.
    var there: [String: Int] = [:]
    for line in library.split(separator: "\n") where line.hasPrefix("function ") {
      guard let open = line.firstIndex(of: "("), let close = line.firstIndex(of: ")") else { continue }
      let name = String(line[..<open].dropFirst("function ".count))
      // What the runner calls.
      if name.hasPrefix("driver.") { continue }
      there[name] = line[line.index(after: open)..<close].split(separator: ",").count
    }
    #expect(there.count > 20)
    var declared = Self.tests.functions.mapValues { $0.parameters.count + ($0.isVariadic ? 1 : 0) }
    // `test` is a table that can be called.
    declared["test"] = declared["test"] ?? there["test"]
    Self.expectSame(Set(declared.keys), Set(there.keys), "docs/lua/weft-test.lua")
    for (name, count) in declared { #expect(there[name] == count, "arguments of \(name)") }
    #expect(Self.tests.mistakes == [])

    // The globals of a file of tests beyond those of a script.
    var names: Set<String> = []
    for name in declared.keys { names.insert(String(name.split(whereSeparator: { $0 == "." || $0 == ":" })[0])) }
    names.remove("Exchange")
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
      end)
      """)
  }

  @Test("name the fields that tests give and get")
  func testFields() throws {
    func fields(_ name: String) throws -> String {
      var names: [String] = []
      var at: String? = name
      while let present = at {
        let declared = try #require(Self.tests.classes[present])
        names += declared.fields.keys
        at = declared.parent
      }
      return names.sorted().joined(separator: " ")
    }
    try ScratchBundle.pass(
      """
      function on_request(h) if h:headers():get(":path") == "/fail" then error("x") end weft.http.get{service = "users"} end
      """,
      """
      local function keys(value, more)
        local names = more or {}
        for name in pairs(value) do names[#names + 1] = name end
        table.sort(names)
        return table.concat(names, " ")
      end
      local function refused(body)
        local names = {}
        for name in assert_error(body):match("it has (.*)$"):gmatch("[%w_]+") do names[#names + 1] = name end
        table.sort(names)
        return table.concat(names, " ")
      end

      test("given", function()
        assert_equal(refused(function() request{none = 1} end), "\(try fields("Request"))")
        assert_equal(refused(function() upstream{none = 1} end), "\(try fields("Answer"))")
        assert_equal(refused(function() request{tls = {none = 1}} end), "\(try fields("TLS"))")
        assert_equal(refused(function() request{tls = {peer = {none = 1}}} end), "\(try fields("Certificate"))")
      end)

      test("got", function()
        service("users", {})
        local res = request{trailers = {a = "1"}}
        assert_equal(keys(res, {"error"}), "\(try fields("Result"))")
        assert_equal(keys(res.upstream), "\(try fields("UpstreamRequest"))")
        assert_equal(keys(calls()[1]), "\(try fields("Call"))")
        assert_true(request{path = "/fail", allow_errors = true}.error)
      end)
      """)
  }

  @Test("are written beside a bundle where they are no part of it")
  func files() {
    #expect(EditorHelp.files.map(\.path) == [".luarc.json", ".weft/weft.lua", ".weft/weft-test.lua"])
    #expect(EditorHelp.definitions.hasPrefix("---@meta\n"))
  }
}
