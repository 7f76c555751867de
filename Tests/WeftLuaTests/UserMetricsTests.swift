import Testing
import WeftFilter
import WeftTelemetry

@testable import WeftLua

@Suite struct UserMetricsTests {
  @Test func kinds() throws {
    let bench = try ScriptBench(
      """
      local c = weft.metrics.counter("orders_total", {"kind", "region"}, {help = "Orders."})
      local plain = weft.metrics.counter("calls_total")
      local g = weft.metrics.gauge("queue_length", {"q"})
      local s = weft.metrics.counter("waited_seconds_total")
      local h = weft.metrics.histogram("work_seconds", {"step"})
      local b = weft.metrics.histogram("basket_items", {}, {buckets = {1, 5}})
      function on_request(handle)
        c:inc("new", "eu") c:add(2, "new", "eu") c:inc("new", "us") plain:inc()
        g:set(7, "a") g:inc("a") g:dec("a") g:add(-2, "a")
        s:add(0.25)
        h:observe(0.003, "parse") b:observe(4) b:observe(-1)
      end
      """)
    _ = try bench.request()
    _ = try bench.request()
    #expect(bench.errors == [])
    func metric(_ name: String, _ labels: String...) -> Double? {
      bench.bench.metric("weft_lua_user_" + name, ["script"] + labels)
    }
    #expect(metric("orders_total", "new", "eu") == 6)
    #expect(metric("orders_total", "new", "us") == 2)
    #expect(metric("calls_total") == 2)
    #expect(metric("queue_length", "a") == 5)
    #expect(metric("waited_seconds_total") == 0.5)
    var page: [UInt8] = []
    bench.bench.metrics.snapshot().render(into: &page)
    let text = String(decoding: page, as: UTF8.self)
    #expect(text.contains("# HELP weft_lua_user_orders_total Orders."))
    #expect(text.contains(#"weft_lua_user_work_seconds_bucket{bundle="script",step="parse",le="0.005"} 2"#), "\(text)")
    #expect(
      text.contains(#"weft_lua_user_basket_items_bucket{bundle="script",le="1"} 2"#) || text.contains(#"le="1.0"} 2"#))
  }

  @Test func labelsAreBounded() throws {
    let bench = try ScriptBench(
      """
      local c = weft.metrics.counter("seen_total", {"path"})
      local two = weft.metrics.counter("pairs_total", {"a", "b"})
      function on_request(handle)
        for i = 1, 1000 do c:inc("/" .. i) two:inc("x", tostring(i)) end
        c:inc(("long"):rep(100))
      end
      """, options: "limits: {cpu: 5s}")
    _ = try bench.request()
    #expect(bench.errors == [])
    #expect(bench.bench.metric("weft_lua_user_seen_total", ["script", "/200"]) == 1)
    #expect(bench.bench.metric("weft_lua_user_seen_total", ["script", "/201"]) == nil)
    #expect(bench.bench.metric("weft_lua_user_seen_total", ["script", "other"]) == 801)
    #expect(bench.bench.metric("weft_lua_user_pairs_total", ["script", "other", "other"]) == 800)
  }

  /// Lists of values that look alike when they are put together are not the same.
  @Test func valuesAreKeptApart() throws {
    let bench = try ScriptBench(
      """
      local c = weft.metrics.counter("t_total", {"a", "b"})
      function on_request(handle) c:inc("ab", "c") c:inc("a", "bc") c:inc("", "abc") end
      """)
    _ = try bench.request()
    for labels in [["ab", "c"], ["a", "bc"], ["", "abc"]] {
      #expect(bench.bench.metric("weft_lua_user_t_total", ["script"] + labels) == 1)
    }
  }

  @Test(arguments: [
    ("counter('orders')", "_total"), ("gauge('x_total')", "_total"), ("counter('Orders_total')", "lower case"),
    ("counter('a b_total')", "a name is letters"), ("counter('a_total', {'bundle'})", "a label stands twice"),
    ("counter('a_total', {'le-x'})", "no label name"), ("histogram('items')", "give its 'buckets'"),
    ("histogram('items', {}, {buckets = {2, 1}})", "ascend"), ("counter('x_ms_total')", "base unit"),
    ("counter('a_total', {1})", "must be a string"), ("counter(1)", "must be a string"),
    ("gauge('')", "1 to 100 bytes"),
    ("counter('a_total', {}, {helps = 'x'})", "no option 'helps' of weft.metrics.counter; there are help"),
    ("gauge('a', {}, {buckets = {1}})", "no option 'buckets' of weft.metrics.gauge; there are help"),
    ("histogram('a', {}, {bounds = {1}})", "no option 'bounds' of weft.metrics.histogram; there are help, buckets"),
    ("counter('a_total', {help = 'x'})", "the labels are a list of names; options such as 'help' come after it"),
    ("counter('a_total', {'a','b','c','d','e','f','g'})", "more than 6 labels"),
    ("histogram('a', {}, {buckets = {1e10}})", "0 to 1e9"), ("counter('a_total'):inc()", "while a script is loaded"),
    ("counter('a_total') for i = 1, 70 do weft.metrics.counter('b_total') end", "more than 64 metrics"),
  ])
  func mistakes(_ call: String, _ message: String) throws {
    do {
      _ = try ScriptBench("weft.metrics.\(call)\nfunction on_request(handle) end")
      Issue.record("no error")
    } catch {
      #expect("\(error)".contains(message), "\(error)")
    }
  }

  @Test func mistakesInCalls() throws {
    let bench = try ScriptBench(
      """
      \(WeftTable.prelude)
      local c, g = weft.metrics.counter("a_total", {"l"}), weft.metrics.gauge("g")
      local h = weft.metrics.histogram("w_seconds")
      function on_request(handle)
        raises("1 values of labels expected, not 0", c.inc, c) raises("not 2", c.inc, c, "a", "b") raises("is a table", c.inc, c, {})
        raises("only grows", c.add, c, -1, "a") raises("has no set()", c.set, c, 1, "a") raises("has no observe()", g.observe, g, 1)
        raises("finite", g.set, g, 0/0) raises("finite", g.set, g, 1e300) raises("number expected", g.set, g, "x")
        raises("metric expected", c.inc, handle) raises("has no inc()", h.inc, h)
        raises("while a script is loaded", weft.metrics.counter, "b_total")
      end
      """)
    _ = try bench.request()
    #expect(bench.errors == [])
  }

  /// A new version of a bundle goes on counting where the old one stood.
  @Test func aReloadKeepsTheSeries() throws {
    let bench = try ScriptBench()
    let script =
      "local c = weft.metrics.counter('n_total', {}, {help = 'Help %d.'})\nfunction on_request(h) c:inc() end"
    try bench.add(script.replacing("%d", with: "1"))
    try bench.add(script.replacing("%d", with: "2"))
    _ = try bench.request()
    #expect(bench.errors == [])
    #expect(bench.bench.metric("weft_lua_user_n_total", ["script"]) == 2)
    #expect(throws: (any Error).self) {
      try bench.add("weft.metrics.counter('n_total', {'l'})\nfunction on_request(h) end")
    }
  }
}
