import CLuaHost
import Testing

@testable import WeftLua

/// The library functions that the host writes anew give what Lua's own give.
@Suite struct LibraryTests {
  /// What the chunk returns, run by plain Lua.
  private func plain(_ chunk: String) -> String? {
    guard let lua = luaL_newstate() else { return nil }
    defer { lua_close(lua) }
    luaL_openlibs(lua)
    let loaded = chunk.withCString { luaL_loadstring(lua, $0) }
    guard loaded == LUA_OK, lua_pcallk(lua, 0, 1, 0, 0, nil) == LUA_OK else { return nil }
    var count = 0
    guard let text = lua_tolstring(lua, -1, &count) else { return nil }
    return String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
  }

  /// What it returns in the host.
  private func hosted(_ chunk: String) throws -> String? {
    let bench = try ScriptBench()
    let indented = chunk.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)" }
    let config = """
      limits: {cpu: 10s, memory: 64MiB}
      script: |
        local function chunk()
      \(indented.joined(separator: "\n"))
        end
        result = chunk()
        function on_request(handle)
          handle:streamInfo():dynamicMetadata():set("r", "r", result)
        end
      """
    try bench.add(config: config)
    let exchange = try bench.request()
    #expect(bench.errors == [])
    if case .string(let text) = exchange.handle.metadata.get("r", "r") { return text }
    return nil
  }

  private static let prelude = """
    local function show(...)
      local out = {}
      for i = 1, select("#", ...) do
        local v = select(i, ...)
        -- Where an error is raised, and in which function, may differ; what it says may not.
        out[i] = type(v) == "string" and string.format("%q", (v:gsub("^.-:%d+: ", ""))) or tostring(v)
      end
      return table.concat(out, ",")
    end
    local out = {}
    local function try(...) out[#out + 1] = show(pcall(...)) end
    """

  private func same(_ body: String, _ comment: Comment? = nil) throws {
    let chunk = "\(Self.prelude)\n\(body)\nreturn table.concat(out, '\\n')"
    let expected = try #require(plain(chunk))
    let actual = try #require(try hosted(chunk))
    if expected == actual { return }
    let pairs = zip(expected.split(separator: "\n"), actual.split(separator: "\n"))
    for (i, (e, a)) in pairs.enumerated() where e != a {
      Issue.record("case \(i): Lua gives \(e), the host \(a)", sourceLocation: #_sourceLocation)
      return
    }
    Issue.record("different numbers of cases")
  }

  /// Random patterns over a small alphabet, against random subjects.
  @Test func patterns() throws {
    try same(
      """
      local state = 12345
      local function random(n) state = (state * 1103515245 + 12345) % 2147483648 return state // 65536 % n + 1 end
      local atoms = {"a", "b", "c", ".", "%a", "%d", "%s", "%W", "[ab]", "[^a]", "[a-c]", "[%d-]", "[]a]", "[^]b]", "%.",
        "(", ")", "()", "%b()", "%f[%a]", "%f[^b]", "%1", "%2", "^", "$", "-", "%", "[", "%x", "%p", "[a-", "%b", "%f"}
      local quantifiers = {"", "", "", "*", "+", "-", "?"}
      local letters = {"a", "b", "c", "1", " ", "(", ")", ".", "-", "\\0"}
      local function text(n) local t = {} for i = 1, random(n) - 1 do t[i] = letters[random(#letters)] end return table.concat(t) end
      for i = 1, 6000 do
        local p = {}
        if random(5) == 1 then p[1] = "^" end
        for _ = 1, random(5) - 1 do p[#p + 1] = atoms[random(#atoms)] .. quantifiers[random(#quantifiers)] end
        if random(5) == 1 then p[#p + 1] = "$" end
        local pattern, s = table.concat(p), text(12)
        local init = random(3) == 1 and random(30) - 15 or nil
        out[#out + 1] = pattern .. " on " .. string.format("%q", s)
        try(string.find, s, pattern, init)
        try(string.match, s, pattern, init)
        try(string.gsub, s, pattern, ({"<%0>", "%1%%", "", "x", "%2"})[random(5)], random(4) == 1 and random(4) - 2 or nil)
        try(function()
          local all = {}
          for a, b in string.gmatch(s, pattern, init) do
            all[#all + 1] = show(a, b)
            if #all > 50 then error("endless") end
          end
          return table.unpack(all)
        end)
      end
      """)
  }

  @Test func stringFunctions() throws {
    try same(
      #"""
      for _, c in ipairs({{"hello", "l"}, {"hello", "xyz"}, {"hello", ""}, {"hello", "", 6}, {"hello", "", 7}, {"hello", "", 10},
        {"hello", "", -10}, {"", ""}, {"a.b", ".", 1, true}, {"a.b", ".", 2, true}, {"a+b", "+", 1, true}, {"hello", "l", -2},
        {"hello", "l", 0}, {"aXb", "%u"}, {"key = value", "^(%w+)%s*=%s*(%w+)$"}, {"  trim  ", "^%s*(.-)%s*$"}, {"a\0b", "\0"},
        {"a\0b", "%z"}, {"x", "(()"}, {"abc", "((a)(b))"}, {"THE (quick) fox", "%((%a+)%)"}, {5, 5}, {nil, "x"}, {"x", nil}}) do
        try(string.find, c[1], c[2], c[3], c[4])
        try(string.match, c[1], c[2], c[3])
      end
      try(string.gsub, "hello world", "o", "0", 1)
      try(string.gsub, "hello", "", "-")
      try(string.gsub, "abc", "%w", "%0%0")
      try(string.gsub, "abc", "%w", {a = 1, b = true})
      try(string.gsub, "abc", "%w", {a = false, c = "x"})
      try(string.gsub, "abc", "%w", function(c) if c ~= "b" then return c:upper() end end)
      try(string.gsub, "abc", "(a)(b)", function(x, y) return y .. x end)
      try(string.gsub, "abc", "()", "%1")
      try(string.gsub, "abc", "%w", function() return {} end)
      try(string.gsub, "abc", "%w", "%")
      try(string.gsub, "abc", "%w", "%9")
      try(string.gsub, "abc", "^a", "x")
      try(string.gsub, "aaa", "^a", "x")
      try(string.gsub, "abc", "b", 5)
      try(string.gsub, "abc", "b", true)
      try(string.gsub, "abc", "b", "x", 0)
      try(string.gsub, "abc", "b", "x", -1)
      for _, c in ipairs({{"ab", 3}, {"ab", 0}, {"ab", -1}, {"ab", 3, ","}, {"", 5}, {"", 5, "x"}, {"x", 1, ","},
        {"x", 1 << 62}, {"x", math.maxinteger, "y"}, {"x", "3"}, {"x", 2.5}, {"x"}, {{}, 1}}) do
        try(string.rep, c[1], c[2], c[3])
      end
      local s = ""
      for k, v in string.gmatch("a=1, b=2", "(%w+)=(%w+)") do s = s .. k .. v end
      try(string.upper, s)
      """#)
  }

  /// Lua's own loops as often as it is told to, over nothing.
  @Test func nothingRepeatedIsNothing() throws {
    #expect(try ScriptBench.value("#string.rep('', 1 << 62)") == "0")
  }

  @Test func tableFunctions() throws {
    try same(
      """
      local function list(...) local t = {...} return function(f, ...) local r = show(pcall(f, t, ...))
        local items = {} for i = 1, 12 do items[i] = tostring(t[i]):gsub("0x%x+", "") end
        out[#out + 1] = r:gsub("table: 0x%x+", "table") .. " " .. table.concat(items, " ") end end
      list(1, 2, 3)(table.insert, 4)
      list(1, 2, 3)(table.insert, 1, 0)
      list(1, 2, 3)(table.insert, 4, 9)
      list(1, 2, 3)(table.insert, 5, 9)
      list(1, 2, 3)(table.insert, 0, 9)
      list(1, 2, 3)(table.insert)
      list(1, 2, 3)(table.insert, 1, 2, 3)
      list()(table.insert, 1)
      list(1, 2, 3)(table.remove)
      list(1, 2, 3)(table.remove, 1)
      list(1, 2, 3)(table.remove, 4)
      list()(table.remove)
      list()(table.remove, 0)
      list(1, 2, 3, 4, 5)(table.move, 2, 4, 1)
      list(1, 2, 3, 4, 5)(table.move, 1, 3, 3)
      list(1, 2, 3)(table.move, 1, 3, 2, {})
      list(1, 2, 3)(table.move, 1, 0, 5)
      list(1, 2, 3)(table.move, 1, math.maxinteger, 2)
      list(1, 2, 3)(table.move, -1, math.maxinteger, 2)
      list(1, 2, 3)(table.concat)
      list(1, "b", 2.5)(table.concat, ",")
      list(1, 2, 3)(table.concat, ",", 2)
      list(1, 2, 3)(table.concat, ",", 2, 2)
      list(1, 2, 3)(table.concat, ",", 3, 2)
      list(1, 2, 3)(table.concat, ",", 1, 4)
      list(1, {}, 3)(table.concat)
      list(1, 2, 3)(table.unpack)
      list(1, 2, 3)(table.unpack, 2)
      list(1, 2, 3)(table.unpack, 2, 5)
      list(1, 2, 3)(table.unpack, 1, 1 << 40)
      list(1, 2, 3)(table.unpack, -3, -2)
      for _, f in ipairs({table.insert, table.remove, table.concat, table.sort}) do try(f, 5) try(f, nil) try(f, "x") end
      try(table.move, 5, 1, 1, 1)
      try(table.unpack, 5)
      local log = {}
      local proxy = setmetatable({}, {__index = function(_, i) return i <= 3 and i * 10 or nil end, __newindex = function(_, k, v)
        log[#log + 1] = tostring(k) .. "=" .. tostring(v) end, __len = function() return 3 end})
      table.insert(proxy, 1, 5)
      table.remove(proxy, 1)
      try(table.concat, proxy, ",")
      try(table.concat, log, " ")
      """)
  }

  @Test func sorting() throws {
    try same(
      """
      local state = 1
      local function random(n) state = (state * 1103515245 + 12345) % 2147483648 return state // 65536 % n + 1 end
      for size = 0, 60 do
        for kind = 1, 5 do
          local t = {}
          for i = 1, size do t[i] = kind == 1 and i or kind == 2 and -i or kind == 3 and random(5) or kind == 4 and 7 or random(1000) end
          table.sort(t)
          out[#out + 1] = table.concat(t, " ")
          table.sort(t, function(a, b) return a > b end)
          out[#out + 1] = table.concat(t, " ")
        end
      end
      local words = {"pear", "Apple", "fig", "", "apple"}
      table.sort(words)
      out[#out + 1] = table.concat(words, " ")
      try(table.sort, {{}, {}})
      try(table.sort, {1, 2}, 5)
      """)
  }

  @Test func aBadOrderEndsOrIsNoticed() throws {
    let value = try hosted(
      """
      local t = {}
      for i = 1, 1000 do t[i] = i end
      local ok, message = pcall(table.sort, t, function() return true end)
      local fine = pcall(table.sort, t, function() return false end)
      return tostring(ok) .. " " .. tostring(message) .. " " .. tostring(fine)
      """)
    #expect(value?.contains("invalid order function for sorting") == true)
    #expect(value?.hasSuffix("true") == true)
  }
}
