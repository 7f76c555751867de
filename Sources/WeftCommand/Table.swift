/// Rows in aligned columns.
struct Table {
  private let columns: [String]
  private var rows: [[String]] = []

  init(columns: [String]) { self.columns = columns }

  mutating func add(_ row: [String]) { rows.append(row) }

  /// - Parameter isTerminal: the heading is bold.
  func text(isTerminal: Bool) -> String {
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
    let heading = line(columns)
    return ([isTerminal ? "\u{1b}[1m\(heading)\u{1b}[0m" : heading] + rows.map(line)).joined(separator: "\n") + "\n"
  }
}
