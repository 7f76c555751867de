import Testing
import WeftFilter
import WeftIO

@testable import WeftLua

@Suite struct HandleTests {
  // MARK: respond()

  @Test func answering() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:respond({
          [":status"] = "401", ["www-authenticate"] = "Basic", ["set-cookie"] = {"a=1", "b=2"}, ["Content-Type"] = "x/y",
          ["content-length"] = "999",
        }, "who?")
        error("not reached")
      end
      """)
    let exchange = try bench.request()
    #expect(exchange.upstreamRequest == nil)
    #expect(exchange.response?.status == 401)
    #expect(exchange.response?.text == "who?")
    #expect(exchange.response?["www-authenticate"] == "Basic")
    #expect(exchange.response?.values("set-cookie") == ["a=1", "b=2"])
    #expect(exchange.response?.values("content-type") == ["x/y"])
    #expect(exchange.response?.values("content-length") == ["4"])
    #expect(exchange.details == "lua_response")
    #expect(bench.errors == [])
  }

  @Test func answeringWithoutABody() throws {
    let bench = try ScriptBench("function on_request(handle) handle:respond({[':status'] = 204}) end")
    let response = try bench.request().response
    #expect(response?.status == 204)
    #expect(response?["content-type"] == nil)
  }

  @Test func aBodyWithoutATypeIsPlainText() throws {
    let bench = try ScriptBench("function on_request(handle) handle:respond({[':status'] = 200}, 'x') end")
    #expect(try bench.request().response?.values("content-type") == ["text/plain"])
  }

  /// What a script answers on the request's way passes its own response side, and not that of later filters.
  @Test func anAnswerPassesItsOwnScript() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle) handle:respond({[":status"] = "200"}, "x") end
      function on_response(handle)
        handle:headers():add("x-seen", handle:body():getBytes(0, 1))
        handle:body():setBytes("y")
      end
      """)
    try bench.add("function on_response(handle) handle:headers():add('x-later', 'yes') end", name: "later")
    let response = try bench.request().response
    #expect(response?["x-seen"] == "x")
    #expect(response?.text == "y")
    #expect(response?["x-later"] == nil)
    #expect(bench.errors == [])
  }

  @Test func answeringOnTheWayBack() throws {
    let bench = try ScriptBench(
      "function on_response(handle) handle:respond({[':status'] = '503', ['x-why'] = 'retry'}, 'later') end")
    let exchange = try bench.request()
    try exchange.respond(200, ["x-upstream: 1"], body: ["fine"])
    #expect(exchange.response?.status == 503)
    #expect(exchange.response?.text == "later")
    #expect(exchange.response?["x-upstream"] == nil)
    #expect(exchange.response?["x-why"] == "retry")
  }

  @Test(arguments: [
    ("{}", ":status must be between 200-599"), ("{[':status'] = 'abc'}", ":status must be between 200-599"),
    ("{[':status'] = 199}", ":status must be between 200-599"),
    ("{[':status'] = 600}", ":status must be between 200-599"),
    ("{[':status'] = 200.5}", ":status must be between 200-599"), ("'200'", "table expected, got string"),
    ("{[':status'] = 200, x = {}, y = true}", "the value for 'y' is a boolean"),
    ("{[':status'] = 200, x = 'a\\nb'}", "the value for 'x' is not allowed in a header"),
    ("{[':status'] = 200, ['a b'] = 'c'}", "'a b' is no name of a header"),
    ("{[':status'] = 200, [':path'] = 'c'}", "':path' is no name of a header"),
    ("{[':status'] = 200, 'c'}", "respond() takes headers by name, not by number"),
    ("{[':status'] = 200}, {}", "string expected, got table"),
  ])
  func badAnswers(_ arguments: String, _ message: String) throws {
    let bench = try ScriptBench("function on_request(handle) handle:respond(\(arguments)) end")
    let exchange = try bench.request()
    #expect(exchange.response?.status == 500)
    #expect(bench.errors.first?.contains(message) == true, "\(bench.errors)")
  }

  /// respond() ends the script, and closes what is to be closed.
  @Test func answeringClosesVariables() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local closed <close> = setmetatable({}, {__close = function() print("closed") end})
        pcall(function() handle:respond({[":status"] = "200"}) end)
        print("not reached")
      end
      """)
    for _ in 0..<3 { #expect(try bench.request().response?.status == 200) }
    // Nobody is there to log for once the call has ended.
    #expect(bench.lines.all.isEmpty)
  }

  // MARK: Settings

  @Test func settingsAreATable() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local s = handle:settings()
        local keys = {}
        for key in pairs(s.map) do keys[#keys + 1] = key end
        table.sort(keys)
        local list = {}
        for i, item in ipairs(s.list) do list[i] = item end
        handle:headers():add("x-value", table.concat({
          s.name, s.count, s.ratio, tostring(s.flag), tostring(s.none), #s.list, s.list[2], table.concat(list, "+"),
          table.concat(keys, "+"), s.map.b.c, type(s), math.type(s.count), next(s.map.b), rawlen(s.list),
          rawget(s, "name"), select("#", table.unpack(s.list)), table.concat(s.list, "/"),
        }, " "))
      end
      """,
      options: """
        settings:
          name: n
          count: 3
          ratio: 0.5
          flag: true
          none: null
          list: [x, y]
          map: {a: 1, b: {c: deep}}
        """)
    #expect(
      try bench.request().upstreamRequest?["x-value"] == "n 3 0.5 true nil 2 y x+y a+b deep table integer c 2 n 2 x/y")
    #expect(bench.errors == [])
  }

  @Test func withoutSettingsTheTableIsEmpty() throws {
    #expect(try ScriptBench.value("next(handle:settings()) == nil and type(handle:filterContext():get('x'))") == "nil")
  }

  @Test(arguments: [
    "s.name = 'x'", "s.other = 'x'", "s.list[1] = 'x'", "s.map.a = 2", "rawset(s, 'name', 'x')",
    "table.insert(s.list, 'x')", "table.remove(s.list)", "table.sort(s.list)", "table.move({1}, 1, 1, 1, s.list)",
    "setmetatable(s, {})", "s.name = nil",
  ])
  func settingsAreReadOnly(_ statement: String) throws {
    let bench = try ScriptBench(
      "function on_request(handle)\nlocal s = handle:settings()\n\(statement)\nend",
      options: "settings: {name: n, list: [b, a], map: {a: 1}}")
    _ = try bench.request()
    let error = try #require(bench.errors.first)
    #expect(error.contains("settings are read-only") || error.contains("protected metatable"), "\(error)")
  }

  /// What stands behind a read-only table cannot be had.
  @Test func theTableBehindIsOutOfReach() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local s = handle:settings()
        local found = {}
        local iterate, state, start = pairs(s)
        for _, value in pairs({iterate, state, start, getmetatable(s), next(s), s.__index, s.__newindex}) do
          if type(value) == "table" and value ~= s then found[#found + 1] = tostring(value) end
        end
        for key, value in next, s do
          if type(value) == "table" then found[#found + 1] = key end
        end
        handle:headers():add("x-value", #found .. tostring(getmetatable(s)))
      end
      """, options: "settings: {name: n}")
    #expect(try bench.request().upstreamRequest?["x-value"] == "0false")
    #expect(bench.errors == [])
  }

  // MARK: What there is to know

  @Test func streamInfo() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local i = handle:streamInfo()
        handle:headers():add("x-value", table.concat({
          i:protocol(), i:routeName(), i:serviceName(), i:downstreamRemoteAddress(), i:downstreamDirectRemoteAddress(),
          i:downstreamLocalAddress(), i:downstreamDirectLocalAddress(), "[" .. i:requestedServerName() .. "]",
          "[" .. i:virtualClusterName() .. "]", "[" .. i:upstreamAddress() .. "]", tostring(i:attemptCount()),
          tostring(i:downstreamSslConnection()), tostring(handle:connection():ssl()),
        }, " "))
      end
      function on_log(handle) handle:logInfo(handle:streamInfo():responseCodeDetails()) end
      """)
    let exchange = try bench.request()
    #expect(
      exchange.upstreamRequest?["x-value"]
        == "HTTP/1.1 default/route#0 default/service:80 10.0.0.1:40000 10.0.0.1:40000 10.0.0.254:8080 10.0.0.254:8080 "
        + "[] [] [] 0 nil nil")
    #expect(bench.errors == [])
    exchange.end()
    #expect(bench.lines.at(.info) == [""])
  }

  @Test func dynamicMetadata() throws {
    let bench = try ScriptBench()
    try bench.add(
      """
      function on_request(handle)
        local m = handle:streamInfo():dynamicMetadata()
        assert(m:get("auth") == nil)
        m:set("auth", "user", "anna")
        m:set("auth", "roles", {"a", "b"})
        m:set("auth", "claims", {level = 3, ratio = 0.5, ok = true, inner = {x = "y"}})
        m:set("auth", "none", nil)
        m:set("other", "flag", false)
      end
      """, name: "first")
    try bench.add(
      """
      function on_request(handle)
        local m = handle:streamInfo():dynamicMetadata()
        local auth = m:get("auth")
        local names = {}
        for name, values in pairs(m) do names[#names + 1] = name end
        table.sort(names)
        handle:headers():add("x-value", table.concat({
          auth.user, auth.roles[2], #auth.roles, auth.claims.level, auth.claims.ratio, tostring(auth.claims.ok),
          auth.claims.inner.x, tostring(auth.none), tostring(m:get("other").flag), table.concat(names, "+"),
        }, " "))
      end
      """, name: "second")
    let exchange = try bench.request()
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest?["x-value"] == "anna b 2 3 0.5 true y nil false auth+other")
    #expect(exchange.handle.metadata.get("auth", "user") == .string("anna"))
    #expect(exchange.handle.metadata.get("auth", "roles") == .list([.string("a"), .string("b")]))
  }

  @Test(arguments: [
    ("m:set('a', 'b', print)", "unexpected type 'function' in dynamicMetadata"),
    ("m:set('a', 'b', {[true] = 1})", "unexpected type boolean in table key"),
    ("local t = {} t.t = t m:set('a', 'b', t)", "nests too deeply, or holds itself"),
    ("m:set('a', 'b', {1, x = 2})", "unexpected type number in table key"),
    ("m:set('a', 'b', {[1] = 1, [100] = 2})", "unexpected type number in table key"),
    ("for i = 1, 1000 do m:set('a', 'k' .. i, i) end", "too much dynamic metadata"),
  ])
  func badMetadata(_ statement: String, _ message: String) throws {
    let bench = try ScriptBench(
      "function on_request(handle) local m = handle:streamInfo():dynamicMetadata()\n\(statement)\nend")
    _ = try bench.request()
    #expect(bench.errors.first?.contains(message) == true, "\(bench.errors)")
  }

  @Test func settingsMayBecomeMetadata() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:streamInfo():dynamicMetadata():set("a", "b", handle:settings())
        handle:headers():add("x-value", handle:streamInfo():dynamicMetadata():get("a").b.list[1])
      end
      """, options: "settings: {list: [x]}")
    #expect(try bench.request().upstreamRequest?["x-value"] == "x")
    #expect(bench.errors == [])
  }

  @Test func theRoutesMetadata() throws {
    let script = """
      function on_request(handle)
        local m = handle:metadata()
        local keys = {}
        for key in pairs(m) do keys[#keys + 1] = key end
        table.sort(keys)
        handle:headers():add("x-value", tostring(m:get("tier")) .. " " .. table.concat(keys, "+"))
      end
      """
    let bench = try ScriptBench(script)
    #expect(try bench.request().upstreamRequest?["x-value"] == "nil ")
  }

  @Test func timeAndText() throws {
    #expect(try ScriptBench.value("math.type(handle:timestamp()) .. #tostring(handle:timestamp())") == "integer13")
    #expect(try ScriptBench.value("#handle:timestampString()") == "13")
    #expect(try ScriptBench.value("#handle:timestampString(EnvoyTimestampResolution.MICROSECOND)") == "16")
    #expect(try ScriptBench.value("handle:timestamp(EnvoyTimestampResolution.MILLISECOND) > 1600000000000") == "true")
    #expect(
      try ScriptBench.value("pcall(handle.timestamp, handle, 1)")?.contains("false") == true)
    for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
      #expect(try ScriptBench.value("handle:base64Escape('\(text)') .. '.'") == encoded + ".")
    }
    #expect(try ScriptBench.value("handle:base64Escape('\\255\\254\\0')") == "//4A")
  }

  @Test func theFilterContextIsTheSettings() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local context = handle:filterContext()
        local keys = {}
        for key in pairs(context) do keys[#keys + 1] = key end
        table.sort(keys)
        handle:headers():add("x-value", table.concat({
          context:get("name"), context["name"], context.list[2], tostring(context:get("none")), tostring(context.none),
          tostring(context[1]), table.concat(keys, "+"), type(context.get), tostring(getmetatable(context)),
        }, " "))
        handle:logInfo(tostring(pcall(function() context.name = "x" end)))
      end
      """, options: "settings: {name: n, get: setting, list: [a, b]}")
    #expect(
      try bench.request().upstreamRequest?["x-value"] == "n n b nil nil nil get+list+name function false")
    #expect(bench.lines.at(.info) == ["false"])
  }

  @Test func whatNobodyHasSet() throws {
    #expect(try ScriptBench.value("handle:streamInfo():filterState():get('a', 'b')") == "nil")
    #expect(try ScriptBench.value("handle:streamInfo():dynamicTypedMetadata('a')") == "nil")
    #expect(try ScriptBench.value("handle:connectionStreamInfo():dynamicTypedMetadata('a')") == "nil")
    #expect(try ScriptBench.value("handle:connectionStreamInfo():dynamicMetadata():get('a')") == "nil")
    #expect(try ScriptBench.value("handle:route():metadata():get('a')") == "nil")
    #expect(try ScriptBench.value("handle:virtualHost():metadata():get('a')") == "nil")
    #expect(try ScriptBench.value("handle:streamInfo():responseFlags()") == "-")
  }

  @Test(arguments: [
    ("'10.0.0.7'", "true"), ("'[::1]:80', true", "true"), ("'nonsense'", "false"), ("'a.example:80'", "false"),
    ("", "false"), ("'10.0.0.7:80', 1", "false"),
  ])
  func hostsToOverride(_ arguments: String, _ isTaken: String) throws {
    let call = arguments.isEmpty ? "" : ", \(arguments)"
    #expect(
      try ScriptBench.value("(pcall(handle.setUpstreamOverrideHost, handle\(call)))") == isTaken)
  }

  @Test(arguments: [
    ("", ""), ("Zg==", "f"), ("Zg", "f"), ("Zm8", "fo"), ("Z m 9\\tv\\n", "foo"), ("Zh==", "f"), ("+/8=", "\\251\\255"),
    ("Zm9vYmFy", "foobar"),
  ])
  func decodingBase64(_ text: String, _ decoded: String) throws {
    #expect(try ScriptBench.value("handle:base64Decode('\(text)') == '\(decoded)'") == "true")
  }

  @Test(arguments: ["Z", "!!!!", "-_8=", "====", "Zg=", "Zg===", "Zm9v=", "Zg==Zg==", "Zg==" + "\\0"])
  func whatIsNoBase64(_ text: String) throws {
    #expect(try ScriptBench.value("handle:base64Decode('\(text)')") == "nil")
  }

  @Test func routing() throws {
    let bench = try ScriptBench(
      "function on_request(h) h:setUpstreamOverrideHost('10.0.0.7:80', true) h:clearRouteCache() end")
    _ = try bench.request()
    #expect(bench.errors == [])
  }

  // MARK: Logging

  @Test func logging() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:logTrace("t") handle:logDebug("d") handle:logInfo("i")
        handle:logWarn("w") handle:logErr("e") handle:logCritical("c")
        handle:headers():logInfo("from headers")
        print("printed", 1, nil)
        warn("warned")
      end
      """)
    _ = try bench.request()
    #expect(
      bench.lines.all.map { "\($0.level) \($0.text)" } == [
        "trace t", "debug d", "info i", "warning w", "error e", "critical c", "info from headers",
        "info printed\t1\tnil", "warning warned",
      ])
    #expect(bench.lines.all.first?.metadata["filter"] == "script")
  }

  @Test func aLogIsBounded() throws {
    let bench = try ScriptBench(
      "function on_request(h) for i = 1, 100 do h:logInfo(string.rep('x', 20000)) end end",
      options: "limits: {logLines: 3}")
    _ = try bench.request()
    // The second may turn in the middle.
    #expect((3...6).contains(bench.lines.all.count))
    #expect(bench.lines.all.allSatisfy { $0.text.utf8.count == 8192 })
  }

  @Test func onLogSeesWhatHappened() throws {
    let bench = try ScriptBench(
      """
      function on_log(handle)
        handle:logInfo(handle:requestHeaders():get(":path") .. " " .. handle:headers():get(":status"))
        for _, method in ipairs({"body", "bodyChunks", "trailers", "respond", "sleep"}) do
          local ok, message = pcall(handle[method], handle, 1)
          handle:logInfo(tostring(ok))
        end
        handle:headers():add("x", "y")
      end
      """)
    let exchange = try bench.request("GET", "/p")
    try exchange.respond(201)
    exchange.end()
    #expect(bench.lines.at(.info) == ["/p 201", "false", "false", "false", "false", "false"])
    #expect(bench.errors.first?.contains("header map can no longer be modified") == true)
  }
}
