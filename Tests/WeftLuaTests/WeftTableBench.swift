import Testing

@testable import WeftLua

/// Runs checks that are written in Lua.
enum WeftTable {
  static let prelude = """
    local function same(expected, actual, ...)
      if expected ~= actual or math.type(expected) ~= math.type(actual) then
        error(string.format("%s expected, not %s %s", expected, actual, tostring((...))), 2)
      end
    end
    local function raises(text, f, ...)
      local fine, message = pcall(f, ...)
      if fine then error("no error raised", 2) end
      if not tostring(message):find(text, 1, true) then error("another error: " .. tostring(message), 2) end
    end
    local function refused(text, value, message)
      if value ~= nil then error("not refused, but " .. tostring(value), 2) end
      if not tostring(message):find(text, 1, true) then error("another message: " .. tostring(message), 2) end
    end
    """

  /// Runs `code` in `on_request`; whatever it raises is an issue.
  static func check(
    _ code: String, limits: String = "cpu: 5s", sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let bench = try ScriptBench("\(prelude)\nfunction on_request(handle)\n\(code)\nend", options: "limits: {\(limits)}")
    _ = try bench.request()
    #expect(bench.errors == [], sourceLocation: sourceLocation)
  }
}
