import Testing
import WeftFilterTest
import WeftRegex

@Suite("How tests of bundles fail")
struct FailureReportTests {
  private let echo = "function on_request(h) end"

  @Test("an assertion shows place, expected and actual, and the lines around")
  func assertion() throws {
    let problem = try ScratchBundle.problem(
      echo,
      """
      test("a", function()
        local res = request{}
        assert_equal(res.status, 201)
      end)
      """)
    #expect(problem.kind == .failure)
    #expect(problem.place?.line == 3 && problem.place?.file.hasSuffix("/tests/scratch.lua") == true)
    #expect(problem.expected == "201" && problem.actual == "200")
    #expect(problem.excerpt.map(\.number) == [1, 2, 3, 4])
    #expect(problem.excerpt.first(where: \.isMarked)?.text == "  assert_equal(res.status, 201)")
  }

  @Test("tables say where they differ, long texts where they part")
  func differences() throws {
    let tables = try ScratchBundle.problem(
      echo, #"test("a", function() assert_equal({a = 1, b = {1, 2}}, {a = 1, b = {1, 3}, c = "x"}) end)"#)
    #expect(tables.differences == [".b[2]: expected 3, actual 2", #".c: missing, expected "x""#])
    let texts = try ScratchBundle.problem(
      echo, #"test("a", function() assert_equal(("x"):rep(100) .. "a", ("x"):rep(100) .. "b") end)"#)
    #expect(texts.differences.first == "they part at byte 101:")
  }

  @Test(
    "each assertion fails when it must",
    arguments: [
      #"assert_equal(1, "1")"#, "assert_equal({}, {1})", "assert_not_equal(1, 1)", "assert_true(nil)",
      "assert_false(0)", "assert_nil(false)", #"assert_match("abc", "^b")"#, #"assert_match(nil, "b")"#,
      #"assert_contains("a.c", "abc")"#, "assert_error(function() end)",
      #"assert_error(function() error("x") end, "y")"#, #"assert_header(request{}, "x-none")"#,
      #"assert_header(request{}, "content-length", false)"#, #"assert_header(request{}, "content-length", "7")"#,
      #"fail("no")"#, #"assert_error(function() fail("no") end)"#,
    ])
  func assertions(_ statement: String) throws {
    let problem = try ScratchBundle.problem(echo, "test('a', function() \(statement) end)")
    #expect(problem.kind == .failure)
  }

  @Test("and holds when it must")
  func holding() throws {
    try ScratchBundle.pass(
      echo,
      """
      test("a", function()
        assert_equal({1, {x = "y"}}, {1, {x = "y"}})
        assert_equal(1, 1.0)
        assert_not_equal("a", "b")
        assert_true(0)
        assert_false(nil)
        assert_nil(nil)
        assert_match("abc", "b.$")
        assert_contains("a.c", "a.c")
        assert_contains(assert_error(function() error("x y z") end, "y"), "x y z")
        assert_header(request{}, "Content-Length", "0")
      end)
      """)
  }

  @Test("an error in a test has its place and a traceback")
  func error() throws {
    let problem = try ScratchBundle.problem(
      echo, "local function inner() local t\n t.x = 1 end\ntest('a', function() inner() end)")
    #expect(problem.kind == .error)
    #expect(problem.message.contains("attempt to index a nil value"))
    #expect(problem.place?.line == 2)
    #expect(problem.trace?.contains("tests/scratch.lua:3") == true)
    #expect(problem.trace?.contains("weft-test.lua") == false)
  }

  @Test("an error of the filter fails the test, with the filter's traceback and what it logged")
  func filterError() throws {
    let problem = try ScratchBundle.problem(
      "function on_request(h)\n  h:logInfo('about to fail')\n  local t\n  t.x = 1\nend",
      "test('a', function()\n  request{}\nend)")
    #expect(problem.message.contains("the filter failed: main.lua:4: attempt to index a nil value"))
    #expect(problem.place?.line == 2)
    #expect(problem.logs == ["info: about to fail"])
  }

  @Test("endless loops end, in the filter and in tests, and the tests after them run")
  func loops() throws {
    var options = TestOptions()
    options.cpu = 200_000_000
    let report = try ScratchBundle(
      "function on_request(h) if h:headers():get(':path') == '/loop' then while true do end end end",
      tests: """
        test("filter", function() request{path = "/loop"} end)
        test("test", function() while true do end end)
        test("caught", function() while true do pcall(function() while true do end end) end end)
        test("requests", function() while true do request{} end end)
        test("memory", function() local t = {} while true do t[#t + 1] = ("x"):rep(1000000) .. #t end end)
        test("after", function() assert_equal(request{}.status, 200) end)
        """
    ).run(options)
    #expect(report.tests.map { $0.problem == nil } == [false, false, false, false, false, true])
    for test in report.tests.prefix(4) {
      #expect(test.problem?.message.contains("processor time") == true, "\(test)")
      #expect(test.problem?.place != nil, "\(test.name)")
    }
    // Which limit it is depends on the machine.
    #expect(report.tests[4].problem?.message.contains(/memory|processor time/) == true)
  }

  @Test("mistakes in the use of the library are told with their place")
  func misuse() throws {
    for (statement, message) in [
      ("request{pth = '/'}", #"request has no field "pth""#), ("request{headers = {x = {}, y = true}}", "boolean"),
      ("upstream{stats = 1}", #"upstream has no field "stats""#), ("upstream{failure = 'gone'} request{}", "refused"),
      ("request{path = 'no path'}", "would refuse"), ("request{client = 'x'}", "is no address"),
      ("upstream{status = 99} request{}", "status"), ("settings{x = 1}", "no settings"), ("request{body = 1}", "body"),
    ] {
      let problem = try ScratchBundle.problem(echo, "test('a', function()\n\(statement)\nend)")
      #expect(problem.message.contains(message), "\(statement): \(problem.message)")
      #expect(problem.place?.line == 2, "\(statement)")
    }
  }

  @Test("a file that cannot be run, a bundle without tests and a folder without a bundle are failures")
  func files() throws {
    let broken = try ScratchBundle(echo, tests: "test('a', function(\n").run()
    #expect(!broken.isSuccess && broken.files[0].problem?.place?.line == 1 || broken.files[0].problem?.place?.line == 2)
    let raising = try ScratchBundle(echo, tests: "\nerror('no')").run()
    #expect(raising.files[0].problem?.message == "no" && raising.files[0].problem?.place?.line == 2)
    #expect(try !ScratchBundle(["main.lua": echo]).run().isSuccess)
    #expect(TestRunner(TestOptions()).run(["/nowhere"]).refusals.count == 1)
    let script = try ScratchBundle("this is no Lua", tests: "test('a', function() request{} end)").run()
    #expect(script.tests[0].problem?.place?.file == "\(script.files[0].folder)/main.lua")
  }

  @Test("groups, hooks, skipping, choosing and stopping")
  func order() throws {
    let tests = """
      local seen = {}
      local function note(text) return function() seen[#seen + 1] = text end end
      before_each(note("before"))
      after_each(note("after"))
      describe("outer", function()
        before_each(note("outer before"))
        after_each(note("outer after"))
        test("first", function() note("first")() end)
        describe("inner", function()
          before_each(note("inner before"))
          test("second", function() fail("no") end)
        end)
      end)
      test("third", function()
        assert_equal(seen, {"before", "outer before", "first", "outer after", "after",
                            "before", "outer before", "inner before", "outer after", "after", "before"})
      end)
      test("fourth", function() skip("not today") end)
      test.skip("fifth", function() fail() end)
      """
    let bundle = try ScratchBundle(echo, tests: tests)
    let all = bundle.run()
    #expect(all.tests.map(\.name) == ["outer > first", "outer > inner > second", "third", "fourth", "fifth"])
    #expect((all.passed, all.failed, all.skipped) == (2, 1, 2))
    var options = TestOptions()
    options.filter = try Pattern("inner|fou", anchoring: .anywhere)
    #expect(bundle.run(options).tests.map(\.name) == ["outer > inner > second", "fourth"])
    options.filter = nil
    options.failsFast = true
    #expect(bundle.run(options).tests.count == 2)
  }

  @Test("a bundle's own files and helpers below tests can be required")
  func require() throws {
    let bundle = try ScratchBundle([
      "main.lua": "function on_request(h) end", "lib/double.lua": "return function(n) return 2 * n end",
      "tests/lib/helper.lua": "return {four = 4}",
      "tests/a.lua":
        "test('a', function() assert_equal(require('lib.double')(2), require('tests.lib.helper').four) end)",
    ])
    let report = bundle.run()
    #expect(report.isSuccess && report.files.count == 1)
  }
}
