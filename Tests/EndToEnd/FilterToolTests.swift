import Testing

@Suite("weft filter", .endToEnd)
struct FilterToolTests {
  private static let bundle = """
    name: tool
    version: 1.0.0
    settings: {type: object, properties: {value: {type: string, default: none}}}
    """

  private func folder(_ tests: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("tool/bundle.yaml", Self.bundle)
    try folder.write(
      "tool/main.lua",
      "function on_request(h)\n  if h:headers():get('x-fail') then error('on purpose') end\n"
        + "  h:headers():add('x-tool', h:settings().value)\nend\n")
    try folder.write("tool/tests/tool.lua", tests)
    return folder
  }

  @Test("test: the exit code says whether all passed, and reports are written")
  func test() throws {
    let good = try folder("test('tool', function() assert_header(request{}.upstream, 'x-tool', 'none') end)")
    let reports = ["--junit", "\(good.path)/junit.xml", "--coverage-lcov", "\(good.path)/lcov.info"]
    let passed = try Tool.run(WeftBinary.path, ["filter", "test", "\(good.path)/tool", "--coverage"] + reports)
    #expect(passed.code == 0, "\(passed.output)\(passed.errorOutput)")
    #expect(passed.output.contains("PASS") && passed.output.contains("1 passed") && passed.output.contains("main.lua"))
    #expect(!passed.output.contains("\u{1b}"), "no colour where there is no terminal")
    #expect(try Tool.run("/bin/cat", ["\(good.path)/junit.xml"]).output.contains("tests=\"1\" failures=\"0\""))
    #expect(try Tool.run("/bin/cat", ["\(good.path)/lcov.info"]).output.contains("DA:3,1\n"))

    let bad = try folder("test('loops', function() while true do end end)\ntest('fine', function() request{} end)")
    let failed = try WeftBinary.run("filter", "test", "\(bad.path)/tool", "--json", "--timeout", "0.2")
    #expect(failed.code == 1)
    let lines = failed.output.split(separator: "\n").map(String.init)
    #expect(try JSONValue(lines.last ?? "")["failed"].int == 1 && JSONValue(lines.last ?? "")["passed"].int == 1)
    #expect(try WeftBinary.run("filter", "test", "\(bad.path)/nowhere").code == 1)
    #expect(try WeftBinary.run("filter", "test", "\(bad.path)/tool", "--timeout", "0").code == 2)
  }

  @Test("run: shows a request before and after")
  func run() throws {
    let folder = try folder("")
    let shown = try WeftBinary.run(
      "filter", "run", "\(folder.path)/tool", "/x", "-H", "x-a: 1", "--settings", "value: v")
    #expect(shown.code == 0 && shown.output.contains("+ x-tool: v"), "\(shown.output)\(shown.errorOutput)")
    let failed = try WeftBinary.run("filter", "run", "\(folder.path)/tool", "-H", "x-fail: 1", "--json")
    #expect(try failed.code == 1 && JSONValue(failed.output)["error"].string?.contains("on purpose") == true)
    let wrong = try WeftBinary.run("filter", "run", "\(folder.path)/tool", "--settings", "valu: v")
    #expect(wrong.code == 1 && wrong.errorOutput.contains("settings.valu: the bundle has no such setting"))
    #expect(try WeftBinary.run("filter", "run", "\(folder.path)/tool", "-H", "no header").code == 2)
  }

  @Test("colour is for terminals, and for users who want it; with --json there is none")
  func colour() throws {
    let folder = try folder("test('tool', function() fail('\\27[31mred') end)")
    let commands = [
      "filter test \(folder.path)/tool --coverage", "filter run \(folder.path)/tool",
      "filter bench \(folder.path)/tool --seconds 0.1",
    ]
    func shown(_ command: String, _ environment: String) throws -> String {
      // What script(1) runs has a terminal.
      try Tool.run("script", ["-qec", "env \(environment) \(WeftBinary.path) \(command)", "\(folder.path)/typescript"])
        .output
    }
    for command in commands {
      #expect(try shown(command, "-u NO_COLOR TERM=xterm").contains("\u{1b}["), "\(command)")
      for plain in ["TERM=xterm NO_COLOR=1", "-u NO_COLOR TERM=dumb"] {
        #expect(try !shown(command, plain).contains("\u{1b}"), "\(command) with \(plain)")
      }
      #expect(try !shown(command + " --json", "-u NO_COLOR TERM=xterm").contains("\u{1b}"), "\(command)")
      #expect(try !Tool.run("sh", ["-c", "\(WeftBinary.path) \(command)"]).output.contains("\u{1b}"), "\(command)")
    }
  }

  @Test("with --json, mistakes are JSON on standard error")
  func mistakes() throws {
    let folder = try folder("")
    for arguments in [
      ["run", "\(folder.path)/nowhere"], ["bench", "\(folder.path)/tool", "--response", "\(folder.path)/none"],
    ] {
      let result = try Tool.run(WeftBinary.path, ["filter"] + arguments + ["--json"])
      #expect(result.code == 1 && result.output.isEmpty)
      #expect(try JSONValue(result.errorOutput)["severity"].string == "error")
    }
    let settings = try WeftBinary.run("filter", "run", "\(folder.path)/tool", "--settings", "valu: v", "--json")
    #expect(
      try JSONValue(settings.errorOutput)["message"].string?.contains("settings.valu: the bundle has no such") == true)
  }

  @Test("bench: measures each function")
  func bench() throws {
    let folder = try folder("")
    let result = try WeftBinary.run("filter", "bench", "\(folder.path)/tool", "--seconds", "0.2", "--json")
    let functions = try JSONValue(result.output)["functions"].list
    #expect(result.code == 0 && functions.count == 1 && functions[0]["function"].string == "on_request")
    #expect(functions[0]["nanoseconds"].int ?? 0 > 0 && functions[0]["calls"].int ?? 0 > 0)
  }
}
