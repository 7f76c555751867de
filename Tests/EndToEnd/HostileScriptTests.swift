import Glibc
import Testing

/// What a script may try against its proxy: it ends as configured, the worker lives, other routes are served meanwhile.
/// The scripts stand in Tests/HostileScripts, whose README says how.
@Suite("Hostile scripts", .endToEnd, .serialized)
struct HostileScriptTests {
  struct Script: Sendable {
    enum End: String { case cpu, memory, error, logged, fine }

    let name: String
    let end: End
    /// What the log must have, besides what the kind of end says.
    let text: String?
    let code: String

    /// Any of these says that it ended so.
    var words: [String] {
      switch end {
      case .cpu: ["used up its processor time"]
      // On a slow machine the time is over before the memory is full.
      case .memory: ["memory limit", "not enough memory", "used up its processor time"]
      case .error: text.map { [$0] } ?? ["stack traceback", "memory limit"]
      case .logged: [text ?? ""]
      case .fine: []
      }
    }
  }

  private static let folder =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    + "/HostileScripts"

  /// - Throws: `Mistake` for what is not as the README says.
  static func scripts(_ file: String) throws -> [Script] {
    let text = try #require(readFile("\(folder)/\(file).lua"), "\(folder)/\(file).lua")
    var scripts: [Script] = []
    for section in text.split(separator: "--- ").filter({ !$0.isEmpty }) {
      let line = section.prefix { $0 != "\n" }
      let colon = try #require(line.lastRange(of: ": "), "\(line)")
      let ending = line[colon.upperBound...].split(separator: " ", maxSplits: 1)
      let end = try #require(ending.first.flatMap { Script.End(rawValue: String($0)) }, "\(line)")
      let said = ending.count == 2 ? ending[1].trimmingQuotes : nil
      let body = String(section.dropFirst(line.count + 1))
      let definesFunctions = body.contains("function on_")
      scripts.append(
        Script(
          name: String(line[..<colon.lowerBound]), end: end, text: said,
          code: definesFunctions ? body : "function on_request(handle)\n\(body)end\n"))
    }
    return scripts
  }

  /// ThreadSanitizer holds a signal back until its thread calls into the system, which an endless loop never does.
  @Test(
    "each ends as configured, and harms no other route", .enabled(if: !Sanitizer.isOfThreads),
    arguments: [("loops", "deny"), ("libraries", "deny"), ("memory", "deny"), ("tricks", "deny"), ("loops", "skip")])
  func scripts(_ file: String, _ onError: String) throws {
    let scripts = try Self.scripts(file)
    #expect(scripts.count > 30)
    let folder = try TemporaryFolder()
    var more: [String] = []
    for (i, script) in scripts.enumerated() {
      try folder.write("s\(i).lua", script.code)
      more.append(
        Resources.filter(
          "s\(i)", type: "lua", config: "file: \(folder.path("s\(i).lua")), onError: \(onError)"))
      more.append(
        Resources.route(
          "r\(i)",
          """
          rules: [{matches: [{path: {type: Exact, value: /s\(i)}}], filters: [\(Resources.reference("s\(i)"))], \
          backendRefs: [\(Resources.backendRef("backend"))]}]
          """))
    }
    let scene = try Scene(more: more)
    defer { scene.stop() }
    // At most 200 requests a second.
    let load = Load(
      clients: 1, port: { [port = scene.port] in port },
      check: {
        pause(milliseconds: 5)
        return $0.status == 200 ? nil : "status \($0.status): \($0.text)"
      })
    for (i, script) in scripts.enumerated() {
      let label = "\(file): \(script.name)"
      let before = scene.weft.log.utf8.count
      // Several at a time: one must not see another's coroutine, handle or limit.
      let clients = try (0..<2).map { _ in try scene.client() }
      for client in clients { try client.send(HTTPText.get("/s\(i)")) }
      for client in clients {
        let response = try client.response()
        if script.end != .fine && script.end != .logged && onError == "deny" {
          #expect(response.status == 500, "\(label): \(response.head)")
        } else {
          #expect((200..<500).contains(response.status), "\(label): \(response.head)")
        }
      }
      if script.end != .fine {
        do {
          try eventually("the log", within: 5) {
            let log = scene.weft.log.utf8.dropFirst(before)
            let text = String(decoding: log, as: UTF8.self)
            return text.contains("default/s\(i)") && script.words.contains { text.contains($0) }
          }
        } catch {
          Issue.record("\(label): the log does not say so: \(String(scene.weft.log.suffix(800)))")
        }
      }
      try load.wait(forMore: 1)
      if let end = scene.weft.process.end {
        Issue.record("\(label): the proxy has ended, \(end)")
        break
      }
    }
    let mistakes = try load.stop()
    #expect(mistakes == [])
  }
}

extension Substring {
  fileprivate var trimmingQuotes: String {
    String(self.dropFirst(hasPrefix("\"") ? 1 : 0).dropLast(hasSuffix("\"") ? 1 : 0))
  }

  fileprivate func lastRange(of text: String) -> Range<Index>? {
    var found: Range<Index>?
    var from = startIndex
    while let at = self[from...].firstRange(of: text) {
      found = at
      from = at.upperBound
    }
    return found
  }
}
