import WeftConfig

/// Lines before and after, paired: what stayed, what changed, what went and what came.
enum LineChange: Equatable {
  case same(String)
  case changed(String, String)
  case removed(String)
  case added(String)

  /// Pairs lines by their longest common sequence; of what is between, headers of one name count as changed.
  static func between(_ before: [String], _ after: [String]) -> [LineChange] {
    var lengths = Array(repeating: Array(repeating: 0, count: after.count + 1), count: before.count + 1)
    for i in before.indices.reversed() {
      for j in after.indices.reversed() {
        lengths[i][j] =
          before[i] == after[j] ? lengths[i + 1][j + 1] + 1 : max(lengths[i + 1][j], lengths[i][j + 1])
      }
    }
    var changes: [LineChange] = []
    var gone: [String] = []
    var come: [String] = []
    func flush() {
      for old in gone {
        if let at = come.firstIndex(where: { isSamePlace(old, $0) }) {
          changes.append(.changed(old, come.remove(at: at)))
        } else {
          changes.append(.removed(old))
        }
      }
      changes += come.map { .added($0) }
      gone = []
      come = []
    }
    var (i, j) = (0, 0)
    while i < before.count || j < after.count {
      if i < before.count, j < after.count, before[i] == after[j] {
        flush()
        changes.append(.same(before[i]))
        i += 1
        j += 1
      } else if j == after.count || (i < before.count && lengths[i + 1][j] >= lengths[i][j + 1]) {
        gone.append(before[i])
        i += 1
      } else {
        come.append(after[j])
        j += 1
      }
    }
    flush()
    return joined(changes)
  }

  /// Finds headers that have changed and moved: one that went and one of its name that came.
  private static func joined(_ changes: [LineChange]) -> [LineChange] {
    var changes = changes
    var taken: Set<Int> = []
    for (i, change) in changes.enumerated() {
      guard case .removed(let old) = change, let name = headerName(old) else { continue }
      for (other, candidate) in changes.enumerated() where !taken.contains(other) {
        guard case .added(let new) = candidate, headerName(new) == name else { continue }
        changes[i] = .changed(old, new)
        taken.insert(other)
        break
      }
    }
    return changes.indices.filter { !taken.contains($0) }.map { changes[$0] }
  }

  /// Whether one line took the other's place: two values of one header, or two lines that are none.
  private static func isSamePlace(_ a: String, _ b: String) -> Bool {
    headerName(a) == headerName(b)
  }

  /// In lower case; nil: the line is no header.
  private static func headerName(_ line: String) -> String? {
    guard let colon = line.firstIndex(of: ":"), !line[..<colon].contains(where: { $0 == " " || $0 == "\"" }) else {
      return nil
    }
    return line[..<colon].lowercased()
  }
}

extension FilterTrial {
  /// Two columns each for the request and the response.
  /// - Parameter width: columns of the terminal.
  public func text(width: Int, usesColor: Bool) -> String {
    let style = TextStyle(usesColor: usesColor)
    let column = max((width - 5) / 2, 20)
    var text = ""
    func pair(_ title: String, _ other: String, _ before: [String], _ after: [String]?) {
      text += style.bold(Self.cell(title, column)) + "    " + style.bold(other) + "\n"
      guard let after else {
        for line in before { text += Self.cell(line, column) + "\n" }
        text += "\n"
        return
      }
      for change in LineChange.between(before, after) {
        switch change {
        case .same(let line): text += style.dim(Self.cell(line, column) + "    " + Self.cut(line, column)) + "\n"
        case .changed(let old, let new):
          text += style.red(Self.cell(old, column)) + "  ~ " + style.green(Self.cut(new, column)) + "\n"
        case .removed(let line): text += style.red(Self.cell(line, column)) + "  -\n"
        case .added(let line): text += Self.cell("", column) + "  + " + style.green(Self.cut(line, column)) + "\n"
        }
      }
      text += "\n"
    }
    pair(
      "request", requestAfter == nil ? "nothing goes to the upstream" : "what the upstream gets", requestBefore,
      requestAfter)
    let client = hasResponded ? "the client gets, from the filter" : "what the client gets"
    if let responseBefore, !hasResponded {
      pair("response of the upstream", client, responseBefore, responseAfter)
    } else {
      pair("", client, [], responseAfter)
    }
    for (title, lines) in [("calls", calls), ("metadata", metadata), ("logged", logs)] where !lines.isEmpty {
      text += style.bold(title) + "\n" + lines.map { "  \(VisibleText.of($0))\n" }.joined()
    }
    if let error { text += style.red("the filter failed") + "\n  " + VisibleText.of(error) + "\n" }
    return text
  }

  private static func cut(_ line: String, _ width: Int) -> String {
    let line = VisibleText.of(line)
    return line.count > width ? String(line.prefix(width - 3)) + "..." : line
  }

  private static func cell(_ line: String, _ width: Int) -> String {
    let shown = cut(line, width)
    return shown + String(repeating: " ", count: max(width - shown.count, 0))
  }

  /// One JSON object.
  public var json: String {
    func list(_ lines: [String]?) -> String {
      lines.map { "[" + $0.map(JSONText.quote).joined(separator: ",") + "]" } ?? "null"
    }
    return """
      {"request":{"before":\(list(requestBefore)),"after":\(list(requestAfter))},\
      "response":{"before":\(list(responseBefore)),"after":\(list(responseAfter))},\
      "responded":\(hasResponded),"calls":\(list(calls)),"metadata":\(list(metadata)),"logs":\(list(logs)),\
      "error":\(error.map(JSONText.quote) ?? "null")}

      """
  }
}
