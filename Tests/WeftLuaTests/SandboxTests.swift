import Testing
import WeftFilter

@testable import WeftLua

@Suite struct SandboxTests {
  @Test(arguments: [
    "io", "debug", "package", "dofile", "loadfile", "os.execute", "os.exit", "os.getenv", "os.remove", "os.rename",
    "os.tmpname", "os.setlocale", "string.dump", "jit", "ffi",
  ])
  func whatIsNotThere(_ name: String) throws {
    #expect(try ScriptBench.value(name) == "nil")
  }

  @Test(arguments: [
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawlen",
    "rawset", "require", "select", "setmetatable", "tonumber", "tostring", "type", "warn", "xpcall", "load",
    "loadstring",
    "unpack", "os.time", "os.clock", "os.date", "os.difftime", "math.floor", "utf8.char", "string.format",
    "coroutine.wrap", "coroutine.isyieldable", "coroutine.status", "coroutine.running", "table.pack",
  ])
  func whatIsThere(_ name: String) throws {
    #expect(try ScriptBench.value("type(\(name))") == "function")
  }

  /// Ways out that are closed: each expression gives `false`, nil or an error.
  @Test(arguments: [
    // Bytecode.
    "load('\\27Lua')", "load('\\27Lua', 'x', 'b')", "load(function() return nil end, 'x', 'b') == nil or nil",
    "pcall(load, string.rep('-', 100000))", "pcall(load, {})",
    // Metatables of the host's objects and of strings.
    "getmetatable(handle)", "getmetatable(handle:headers())", "pcall(setmetatable, handle, {})",
    "pcall(setmetatable, handle:settings(), {})", "pcall(function() handle.x = 1 end)",
    "pcall(function() handle:headers().get = nil end)", "pcall(rawset, handle, 'x', 1)", "pcall(rawget, handle, 'x')",
    // Finalizers, which would run with no limit.
    "pcall(setmetatable, {}, {__gc = function() end})", "pcall(setmetatable, {}, {__gc = true})",
    // The collector.
    "pcall(collectgarbage)", "pcall(collectgarbage, 'stop')", "pcall(collectgarbage, 'step')",
    "pcall(collectgarbage, 'generational')",
    // Files.
    "pcall(require, 'io')", "pcall(require, '/etc/passwd')", "pcall(require, '../other')", "pcall(require, 'a/../b')",
    "pcall(require, 'script.lua.')", "pcall(os.date, '%Ez', 0)",
  ])
  func closedWays(_ expression: String) throws {
    let value = try #require(try ScriptBench.value(expression))
    #expect(value == "false" || value == "nil", "\(expression) gave \(value)")
  }

  /// Functions of Lua's own that have bounds still name the script's line and themselves.
  @Test(arguments: [
    ("string.format('%d', 'x')", "script.lua:3: bad argument #2 to 'format' (number expected, got string)"),
    ("string.format('%d')", "script.lua:3: bad argument #2 to 'format' (no value)"),
    ("os.date('%Ez', 0)", "script.lua:3: bad argument #1 to 'date' (invalid conversion specifier '%Ez')"),
    ("utf8.char(-1)", "script.lua:3: bad argument #1 to 'char' (value out of range)"),
    ("os.date(('%n'):rep(200))", "script.lua:3: bad argument #1 to 'date' (a format of more than 256 bytes)"),
    ("string.format(('x'):rep(70000))", "script.lua:3: bad argument #1 to 'format' (a format of more than 64 KiB)"),
    ("string.format('%q', ('x'):rep(300000))", "script.lua:3: 'format' quotes at most 256 KiB"),
    ("string.packsize(('b'):rep(70000))", "script.lua:3: bad argument #1 to 'packsize' (a format of more than 64 KiB)"),
    ("string.format('%s%q', 'a\\0b', 1)", "no error"),
  ])
  func boundedFunctions(_ expression: String, _ message: String) throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local _, why = pcall(function()
          local x = \(expression)
          error("no error", 0)
        end)
        handle:headers():replace("x-why", why)
      end
      """)
    let exchange = try bench.request()
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest?["x-why"] == message)
  }

  @Test func loadTakesText() throws {
    #expect(try ScriptBench.value("load('return 1 + 1')()") == "2")
    #expect(try ScriptBench.value("load('return x', 'n', 't', {x = 5})()") == "5")
    #expect(
      try ScriptBench.value(
        "load((function() local n = 0 return function() n = n + 1 return ({'return ', '7'})[n] end end)())()") == "7")
    #expect(try ScriptBench.value("select(2, load('return +'))")?.hasPrefix("[string \"return +\"]:1:") == true)
    #expect(try ScriptBench.value("select(2, load('error(1)', '=name')) == nil") == "true")
    #expect(try ScriptBench.value("collectgarbage('count') > 10") == "true")
  }

  @Test func aStateIsNotAnothers() throws {
    let bench = try ScriptBench()
    try bench.add("secret = 'mine' string.secret = 'mine' function on_request() end", name: "one")
    try bench.add(
      "function on_request(h) h:headers():add('x', tostring(secret) .. tostring(string.secret)) end", name: "two")
    #expect(try bench.request().upstreamRequest?["x"] == "nilnil")
  }

  @Test func addressesOfObjectsAreDistinctAndUseless() throws {
    // tostring shows an address; nothing takes one back.
    #expect(try ScriptBench.value("pcall(load, tostring(handle))") != nil)
    #expect(try ScriptBench.value("type(handle)") == "userdata")
    #expect(try ScriptBench.value("tostring(handle):match('^handle: ') ~= nil") == "true")
  }
}
