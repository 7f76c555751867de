import Testing

@testable import WeftLua

@Suite struct CookieTests {
  @Test func reading() throws {
    try WeftTable.check(
      #"""
      local c = weft.cookie
      for text, value in pairs{
        ["a=1"] = "1", [" a = 1 "] = "1", ["b=2;a=1"] = "1", ["b=2; a=1; a=3"] = "1", ["a="] = "", ["a==="] = "==",
        ['a="x y"'] = '"x y"', [";;a=1;"] = "1", ["broken; a=1"] = "1", ["=x; a=1"] = "1", ["A=2; a=1"] = "1",
        ["aa=2; a=1"] = "1", ["a=%20\0"] = "%20\0", ["a\t=\t1"] = "1",
      } do
        same(value, c.get(text, "a")) same(value, c.parse(text).a)
      end
      for _, text in ipairs{"", ";", "a", "b=1", "=", "=a", "a b=1", "ba=1"} do
        same(nil, c.get(text, "a")) same(nil, c.parse(text).a)
      end
      same(nil, c.get(nil, "a")) same(nil, next(c.parse(nil)))
      same(nil, c.get("=1", "")) same("1", c.get("a b=1", "a b"))

      local headers = handle:headers()
      same(nil, c.get(headers, "a")) same(nil, next(c.parse(headers)))
      headers:add("Cookie", "a=1; b=2") headers:add("cookie", "b=3;c=4")
      same("1", c.get(headers, "a")) same("2", c.get(headers, "b")) same("4", c.get(headers, "c"))
      same("2", c.get(handle:requestHeaders(), "b"))
      same("2", c.parse(headers).b) same("4", c.parse(headers).c)

      raises("headers or string expected", c.get, 1, "a") raises("headers or string expected", c.parse, {})
      raises("got no value", c.parse) raises("headers expected", c.get, handle, "a") raises("string expected", c.get, "a=1")
      """#)
  }

  @Test func writing() throws {
    try WeftTable.check(
      #"""
      local b = weft.cookie.build
      same("a=1", b("a", "1")) same("a=", b("a", "", {})) same('a="x"', b("a", '"x"'))
      same("a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=60; Domain=.example.com; Path=/x y; Secure; HttpOnly; "
        .. "SameSite=None; Partitioned",
        b("a", "1", {expires = 784111777, max_age = 60.5, domain = ".example.com", path = "/x y", secure = true,
          http_only = true, same_site = "none", partitioned = true}))
      same("a=1; Max-Age=-1; SameSite=Lax", b("a", "1", {max_age = -0.5, same_site = "LAX", secure = false}))
      same("__Host-a=1; Path=/; Secure", b("__Host-a", "1", {path = "/", secure = true}))
      same("__Secure-a=1; Secure", b("__Secure-a", "1", {secure = true}))
      for _, name in ipairs{"", "a b", "a=b", "a;b", "a\0", "\xfc", "a,b", "a\r"} do refused("no name", b(name, "1")) end
      for _, value in ipairs{"a b", "a;b", "a,b", 'a"b', '"', "a\\b", "a\0", "\xfc", "a\r\nb"} do
        refused("weft.url.encode", b("a", value))
      end
      for _, path in ipairs{"", "x", "/;x", "/\n", "/\xfc"} do refused("path", b("a", "1", {path = path})) end
      for _, domain in ipairs{"", "a b", "a;b", "a:1"} do refused("domain", b("a", "1", {domain = domain})) end
      refused("Strict, Lax or None", b("a", "1", {same_site = "Laxx"}))
      refused("'secure'", b("a", "1", {same_site = "None"})) refused("'secure'", b("a", "1", {partitioned = true}))
      refused("'secure'", b("__Secure-a", "1"))
      for _, attributes in ipairs{{}, {secure = true}, {secure = true, path = "/x"}, {path = "/"},
        {secure = true, path = "/", domain = "x"}} do
        refused("__Host-", b("__Host-a", "1", attributes))
      end
      refused("too large", b("a", "1", {max_age = 1e300})) refused("too large", b("a", "1", {max_age = 0 / 0}))
      raises("'max_age': number expected, got string", b, "a", "1", {max_age = "60"})
      raises("'secure': boolean expected", b, "a", "1", {secure = 1})
      raises("no attribute 'httponly' of a cookie; there are path", b, "a", "1", {httponly = true})
      raises("each attribute of a cookie is given by name, not by number", b, "a", "1", {"secure"})
      raises("table expected", b, "a", "1", "secure") raises("string expected", b, "a")
      """#)
  }
}
