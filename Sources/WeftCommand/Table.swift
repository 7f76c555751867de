/// Rows in aligned columns.
package struct Table {
  private let columns: [String]
  private var rows: [[String]] = []

  package init(columns: [String]) { self.columns = columns }

  package mutating func add(_ row: [String]) { rows.append(row) }

  /// - Parameter isTerminal: the heading is bold.
  package func text(isTerminal: Bool) -> String {
    let lines = lines()
    let heading = isTerminal ? "\u{1b}[1m\(lines[0])\u{1b}[0m" : lines[0]
    return ([heading] + lines.dropFirst()).joined(separator: "\n") + "\n"
  }

  /// The rows without the heading.
  package var body: String { lines().dropFirst().joined(separator: "\n") + "\n" }

  private func lines() -> [String] {
    var widths = columns.map(\.count)
    for row in rows {
      for (i, cell) in row.enumerated() where i < widths.count { widths[i] = max(widths[i], cell.count) }
    }
    func line(_ cells: [String]) -> String {
      var text = ""
      for (i, cell) in cells.enumerated() where i < widths.count {
        text += i == widths.count - 1 ? cell : cell + String(repeating: " ", count: widths[i] - cell.count + 2)
      }
      while text.last == " " { text.removeLast() }
      return text
    }
    return [line(columns)] + rows.map(line)
  }
}
