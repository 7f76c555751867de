import CLuaHost
import Testing

@testable import WeftLua

@Suite struct RegexTests {
  @Test func functions() throws {
    try WeftTable.check(
      #"""
      local re = weft.re
      local function all(...) return table.concat({...}, "|") end
      local function show(...)
        local t = {}
        for i = 1, select("#", ...) do t[i] = tostring((select(i, ...))) end
        return table.concat(t, "|")
      end
      same("nil", show(re.match("abc", "x"))) same("abc", show(re.match("abc", "a.c"))) same("b|false|c", show(re.match("abc", "(b)(x)?(c)")))
      same("2|3|b|c", show(re.find("abc", "(b)(c)"))) same("1|0", show(re.find("abc", ""))) same("nil", show(re.find("abc", "x")))
      same("ABC", re.match("xABC", "abc", "i")) same("nil", show(re.match("a\nb", "a.b"))) same("a\nb", re.match("a\nb", "a.b", "s"))
      same("b", re.match("a\nb", "^b", "m")) same("é", re.match("xé", "[é]", "u")) same(true, re.test("É", "é", "iu"))
      local r = assert(re.compile("(?<first>a)(b)?"))
      same("a|false", show(r:match("a"))) same("nil", show(r:match("ab", 2))) same("a|b", show(r:match("xxab", -2)))
      same("nil", show(r:match("a", 99))) same(1, r:group("first")) same(nil, r:group("other"))
      local c = r:captures("zab") same("ab", c[0]) same("a", c[1]) same("b", c[2]) same(nil, r:captures("z"))
      same(false, r:captures("a")[2])
      local t = {}
      for a, b in re.gmatch("a1b2", [[(\w)(\d)]]) do t[#t + 1] = b .. a end
      same("1a2b", table.concat(t))
      t = {} for m in re.gmatch("héé", "", "u") do t[#t + 1] = "x" end same(4, #t)
      same("-a-b-|3", show(re.gsub("ab", "", "-"))) same("x-|2", show(re.gsub("abc-", "[abc]*", function(m) return m ~= "" and "x" or "" end)))
      same("[a][b]|2", show(re.gsub("ab", ".", "[$0]"))) same("$b1|1", show(re.gsub("ab", "(a)(?<n>b)", "$$${n}1")))
      same("xb|1", show(re.compile("."):gsub("ab", "x", 1))) same("ab|0", show(re.compile("."):gsub("ab", "x", 0)))
      same("1b|2", show(re.gsub("ab", ".", {a = 1}))) same("a|1", show(re.gsub("a", "(a)", function() return false end)))
      same("ac|1", show(re.gsub("abc", "b", "")))
      raises("names a group", re.gsub, "a", "a", "$1") raises("names a group", re.gsub, "a", "a", "${x}") raises("without", re.gsub, "a", "a", "${")
      raises("names a group", re.gsub, "a", "a", "$") raises("invalid replacement value", re.gsub, "a", "a", function() return {} end)
      same("a|b|c", all(table.unpack(re.split("a,b,c", ",")))) same("a||c", all(table.unpack(re.split("a,,c", ","))))
      same("|", all(table.unpack(re.split(",", ",")))) same("", all(table.unpack(re.split("", ","))))
      same("a|b|c", all(table.unpack(re.split("abc", "")))) same("a|b,c", all(table.unpack(re.compile(","):split("a,b,c", 2))))
      refused("at offset 1", re.compile("(")) raises("malformed pattern", re.match, "a", "(") raises("none of the flags", re.match, "a", "a", "x")
      refused("4096 bytes", re.compile(("a"):rep(4097))) refused("UTF-8", re.compile("\xff"))
      refused("groups", re.compile(("(a)"):rep(64)))
      raises("expected", re.compile("a").match, handle, "a") raises("bad argument", re.match, "a")
      """#)
  }

  /// A pattern that takes too long is an error, not an answer.
  @Test func limits() throws {
    try WeftTable.check(
      #"""
      raises("the match was given up", weft.re.test, ("a"):rep(30) .. "b", "(a+)+$")
      raises("the match was given up", weft.re.gsub, ("a"):rep(30) .. "b", "(a|a)*$", "")
      """#)
  }

  @Test(
    .enabled(if: wl_can_interrupt() != 0),
    arguments: [
      "while true do weft.re.match(('a'):rep(1000), 'b') end", "weft.re.gsub(('a'):rep(100000), '', function() end)",
      "for i = 1, 1e9 do weft.re.compile('a' .. i) end", "weft.re.split(('a,'):rep(200000), '(?:x|a*?),')",
      "while true do weft.hash.sha256(('a'):rep(1000000)) end",
      "while true do weft.base64.encode(('a'):rep(1000000)) end",
      "while true do weft.json.decode(('[1,'):rep(100)) end",
      "local t = {} for i = 1, 100000 do t['k' .. i] = i end "
        + "while true do weft.json.encode(t) end",
      "while true do weft.url.encode(('/'):rep(100000)) end", "while true do weft.crypto.random_bytes(65536) end",
      "local t = {} for i = 1, 10000 do t[i] = '10.0.0.' .. i % 256 end while true do weft.ip.set(t) end",
    ])
  func endWithTheCallsTime(_ script: String) throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        if handle:headers():get(":path") == "/fine" then return end
        \(script)
      end
      """, options: "limits: {cpu: 10ms, memory: 16MiB}")
    let before = ThreadClock.now
    #expect(try bench.request("GET", "/bad").response?.status == 500)
    let milliseconds = (ThreadClock.now - before) / 1_000_000
    #expect(milliseconds < 150, "took \(milliseconds) ms")
    #expect(try bench.request("GET", "/fine").upstreamRequest != nil)
  }

  @Test func patternsAreBounded() throws {
    try WeftTable.check(
      #"""
      for i = 1, 3000 do weft.re.test("a", "a" .. i) end
      local held = {}
      raises("more than 512 regular expressions", function()
        for i = 1, 1000 do held[i] = weft.re.compile("b" .. i) end
      end)
      held = {}
      raises("regular expressions of more than 8388608 bytes", function()
        for i = 1, 500 do held[i] = weft.re.compile("(?:[a-m]|[n-z]{1,50}){1,50}(x" .. i .. "|[^y]{2,9}){1,100}") end
      end)
      """#, limits: "cpu: 5s, memory: 64MiB")
  }
}
