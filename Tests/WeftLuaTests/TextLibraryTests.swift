import Testing

@testable import WeftLua

/// weft.base64, weft.url, weft.hash, weft.time, weft.uuid, weft.random, weft.ip.
@Suite struct TextLibraryTests {
  @Test func base64() throws {
    try WeftTable.check(
      #"""
      local b = weft.base64
      for plain, coded in pairs{[""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
        foobar = "Zm9vYmFy"} do
        same(coded, b.encode(plain)) same(plain, b.decode(coded))
        same((coded:gsub("=", "")), b.encode_url(plain)) same(plain, b.decode_url(b.encode_url(plain)))
        same(plain, b.decode_url(coded))
      end
      same("-_-_", b.encode_url("\xfb\xff\xbf")) same("+/+/", b.encode("\xfb\xff\xbf"))
      for _, text in ipairs{"Zg", "Zg=", "Z", "Z===", "====", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "-_-_", "=Zg="} do
        refused("no base64 text", b.decode(text))
      end
      for _, text in ipairs{"Z", "Zh", "+/+/", "Zg=", "Zg==="} do refused("no base64 text", b.decode_url(text)) end
      local all = {}
      for i = 0, 255 do all[#all + 1] = string.char(i) end
      all = table.concat(all)
      same(all, b.decode(b.encode(all))) same(all, b.decode_url(b.encode_url(all)))
      """#)
  }

  @Test func urls() throws {
    try WeftTable.check(
      #"""
      local u = weft.url
      same("%00%FF-._~aZ9%2B%20", u.encode("\0\xff-._~aZ9+ "))
      same("\0\xff", u.decode("%00%fF"))
      for _, text in ipairs{"%", "%a", "%zz", "a%2"} do refused("escape", u.decode(text)) end
      local function parts(text)
        local p, why = u.parse(text)
        if not p then return why end
        return table.concat({p.scheme or "", p.userinfo or "", p.host or "", tostring(p.port), p.path, p.query or "nil",
          p.fragment or "nil"}, "|")
      end
      same("http||a.b|80|/c|d?e|f#g", parts("HTTP://A.B:80/c?d?e#f#g"))
      same("|||nil|/a|nil|nil", parts("/a")) same("|||nil|||", parts("?#"))
      same("https|u:p@x|::1|443|||nil", parts("https://u:p@x@[::1]:443?"))
      same("||h|nil|/p|nil|nil", parts("//h/p")) same("mailto|||nil|a@b|nil|nil", parts("mailto:a@b"))
      same("h||x|nil||nil|nil", parts("h://x:"))
      same("|||nil|a/b:c|nil|nil", parts("a/b:c"))
      for _, text in ipairs{"http://a:b/", "http://a:65536/", "http://[::1/", "http://[::1]x/", "/a b", "/a\0", "/\n"} do
        refused("", u.parse(text))
      end
      local q, all = u.parse_query("?a=1&b&=c&a=2&&d=%26+%3d")
      same("1", q.a) same("", q.b) same("c", q[""]) same("& =", q.d) same(2, #all.a) same("2", all.a[2])
      refused("escape", u.parse_query("a=%2")) refused("1000 parameters", u.parse_query(string.rep("a&", 1001)))
      assert(u.parse_query(string.rep("a&", 1000)))
      same("", u.build_query{}) same("A=x&a=1&a=b%26&b=true", u.build_query{b = true, a = {1, "b&"}, A = "x"})
      raises("is a table", u.build_query, {a = {{}}}) raises("is a number", u.build_query, {1})
      """#)
  }

  @Test func hashes() throws {
    try WeftTable.check(
      #"""
      local h = weft.hash
      same("a9993e364706816aba3e25717850c26c9cd0d89d", h.sha1("abc"))
      same("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", h.sha256(""))
      same("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7", h.sha384("abc"))
      same("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
        .. "454d4423643ce80e2a9ac94fa54ca49f", h.sha512("abc"))
      -- RFC 4231, test cases 1 and 6.
      same("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", h.hmac_sha256(("\x0b"):rep(20), "Hi There"))
      same("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        h.hmac_sha256(("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First"))
      same("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", h.hmac_sha256("", ""))
      same("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0", h.sha256("abc", "base64url"))
      same("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", h.sha256("abc", "base64"))
      same(32, #h.sha256("abc", "raw"))
      same(0, h.crc32("")) same(0x352441C2, h.crc32("abc"))
      same(h.sha256(("a"):rep(1000000)), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
      raises("invalid option", h.sha256, "a", "octal") raises("bad argument", h.sha256)
      """#)
  }

  @Test func times() throws {
    try WeftTable.check(
      #"""
      local t = weft.time
      same("Thu, 01 Jan 1970 00:00:00 GMT", t.http_date(0))
      same("Wed, 31 Dec 1969 23:59:59 GMT", t.http_date(-0.5))
      same("Tue, 29 Feb 2000 12:00:00 GMT", t.http_date(951825600))
      same("9999-12-31T23:59:59Z", t.rfc3339(253402300799)) same("0000-01-01T00:00:00Z", t.rfc3339(-62167219200))
      same("1969-12-31T23:59:59.5Z", t.rfc3339(-0.5, 1))
      for _, text in ipairs{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"} do
        same(784111777, t.parse_http_date(text))
      end
      for _, text in ipairs{"", "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMTx", "Sun"} do
        refused("no HTTP date", t.parse_http_date(text))
      end
      same(0, t.parse_rfc3339("1970-01-01T00:00:00Z")) same(0.5, t.parse_rfc3339("1970-01-01t00:00:00.500z"))
      same(-3600, t.parse_rfc3339("1970-01-01 00:00:00+01:00")) same(5400, t.parse_rfc3339("1970-01-01T00:00:00-01:30"))
      for _, text in ipairs{"", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00", "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00Zx", "1970-02-29T00:00:00Z", "70-01-01T00:00:00Z"} do
        refused("no RFC 3339 time", t.parse_rfc3339(text))
      end
      raises("years", t.http_date, 1e15) raises("years", t.rfc3339, 0/0) raises("digits", t.rfc3339, 0, 10)
      for i = 1, 2000 do
        local s = weft.random.integer(-62167219200, 253402300799)
        same(s, t.parse_http_date(t.http_date(s))) same(s, t.parse_rfc3339(t.rfc3339(s)))
      end
      """#)
  }

  /// The time is the worker's, so that a test runner sets it.
  @Test func theClockIsTheWorkers() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:headers():add("x", weft.time.rfc3339() .. " " .. weft.time.monotonic() .. " " .. weft.time.http_date())
        handle:headers():add("y", weft.uuid.v7())
      end
      """)
    bench.bench.advance(milliseconds: 1500)
    let request = try #require(try bench.request().upstreamRequest)
    #expect(request["x"] == "2023-11-14T22:13:21Z 1001.5 Tue, 14 Nov 2023 22:13:21 GMT")
    #expect(request["y"]?.hasPrefix("018bcfe5-6ddc-7000-") == true, "\(request["y"] ?? "")")
  }

  @Test func chance() throws {
    try WeftTable.check(
      #"""
      local seen = {}
      for i = 1, 500 do seen[weft.random.integer(3, 5)] = true end
      assert(seen[3] and seen[4] and seen[5] and not seen[2] and not seen[6])
      same(7, weft.random.integer(7, 7)) weft.random.integer(math.mininteger, math.maxinteger)
      raises("empty", weft.random.integer, 2, 1) raises("empty", weft.random.integer, 0)
      for i = 1, 100 do local f = weft.random.float() assert(f >= 0 and f < 1) end
      same(0, #weft.random.bytes(0)) same(13, #weft.random.bytes(13)) raises("65536", weft.random.bytes, 65537)
      assert(weft.uuid.v4():match("^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$")) assert(weft.uuid.v4() ~= weft.uuid.v4())
      same(0, #weft.crypto.random_bytes(0)) raises("65536", weft.crypto.random_bytes, -1)
      """#)
  }

  @Test func addresses() throws {
    try WeftTable.check(
      #"""
      local function parts(text)
        local p, why = weft.ip.parse(text)
        return p and p.address .. " " .. p.version .. " " .. tostring(p.port) or why
      end
      same("10.0.0.1 4 nil", parts("10.0.0.1")) same("10.0.0.1 4 80", parts("10.0.0.1:80")) same("::1 6 nil", parts("::1"))
      same("::1 6 nil", parts("[::1]")) same("::1 6 65535", parts("[0:0::1]:65535")) same("1.2.3.4 4 nil", parts("::ffff:1.2.3.4"))
      for _, text in ipairs{"", "1.2.3", "1.2.3.4.5", "01.2.3.4x", "1.2.3.4:", "1.2.3.4:65536", "[1.2.3.4]", "[::1", "[::1]x",
        "[::1]:", ":::", "a", "1.2.3.4\0", "fe80::1%1", "1.2.3.4/8", ":80"} do
        refused("no IP address", weft.ip.parse(text))
      end
      local s = weft.ip.set{"10.0.0.0/8", "10.1.0.0/16", "192.168.1.7", "2001:db8::/32", "::ffff:172.16.0.0/108", "1.2.3.4/31"}
      same(5, #s)
      for _, a in ipairs{"10.0.0.0", "10.255.255.255:1", "192.168.1.7", "::ffff:192.168.1.7", "2001:db8:ffff::1", "172.31.9.9",
        "1.2.3.4", "1.2.3.5", "[2001:db8::]:80"} do
        same(true, s:contains(a), a)
      end
      for _, a in ipairs{"9.255.255.255", "11.0.0.0", "192.168.1.6", "192.168.1.8", "2001:db9::", "::10.0.0.1", "172.32.0.0",
        "1.2.3.3", "1.2.3.6", "::"} do
        same(false, s:contains(a), a)
      end
      refused("no IP address", s:contains("x"))
      local any = weft.ip.set{"::/0"}
      same(true, any:contains("::1")) same(true, any:contains("ffff::")) same(false, any:contains("1.2.3.4"))
      any = weft.ip.set{"0.0.0.0/0"}
      same(true, any:contains("255.255.255.255")) same(false, any:contains("::1"))
      any = weft.ip.set{"::/0", "10.0.0.0/8"}
      same(true, any:contains("10.0.0.1")) same(false, any:contains("11.0.0.1")) same(true, any:contains("::1"))
      same(false, weft.ip.set{}:contains("::1"))
      for _, text in ipairs{"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "::/129", "x", "", "10.0.0.0/-1", "1.2.3.4:80"} do
        raises("is no address or range", weft.ip.set, {text})
      end
      raises("is a number", weft.ip.set, {1}) raises("ip set expected", s.contains, handle, "1.2.3.4")
      -- Against a plain reading of the ranges.
      for round = 1, 20 do
        local list, ranges = {}, {}
        for i = 1, 30 do
          local n, bits = weft.random.integer(0, 0xffff), weft.random.integer(8, 16)
          list[i] = string.format("10.0.%d.%d/%d", n >> 8, n & 255, bits + 16)
          ranges[i] = {n >> (16 - bits), 16 - bits}
        end
        local set = weft.ip.set(list)
        for i = 1, 200 do
          local n = weft.random.integer(0, 0xffff)
          local expected = false
          for _, r in ipairs(ranges) do expected = expected or n >> r[2] == r[1] end
          same(expected, set:contains(string.format("10.0.%d.%d", n >> 8, n & 255)))
        end
      end
      """#)
  }
}
