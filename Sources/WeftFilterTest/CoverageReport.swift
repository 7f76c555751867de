/// What the lines that ran come to.
public struct CoverageReport {
  public let files: [Coverage.File]

  public init(_ files: [Coverage.File]) { self.files = files }

  /// A table: lines with code, how many of them ran, and which did not.
  public func text(usesColor: Bool) -> String {
    let style = TextStyle(usesColor: usesColor)
    let width = files.map(\.path.count).max() ?? 0
    var text = "\n" + style.bold("coverage" + pad("", width - 8) + "  lines    ran         not run") + "\n"
    for file in files {
      let percent = Self.percent(file.covered, file.lines.count)
      let shown = file.uncovered.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      let color = file.percent >= 90 ? style.green : file.percent >= 60 ? style.yellow : style.red
      text += file.path + pad("", width - file.path.count) + "  " + left("\(file.lines.count)", 5) + "  "
      text += left("\(file.covered)", 5) + "  " + color(left(percent, 6))
      text += (shown.isEmpty ? "" : "  " + Self.shortened(shown)) + "\n"
    }
    let lines = files.reduce(0) { $0 + $1.lines.count }
    let covered = files.reduce(0) { $0 + $1.covered }
    text += "total" + pad("", width - 5) + "  " + left("\(lines)", 5) + "  " + left("\(covered)", 5) + "  "
    return text + left(Self.percent(covered, lines), 6) + "\n"
  }

  /// The tracefile format of lcov (geninfo(1)), which editors and CI systems read.
  public var lcov: String {
    files.map { file in
      "TN:\nSF:\(file.path)\n" + file.lines.map { "DA:\($0.line),\($0.hits)\n" }.joined()
        + "LF:\(file.lines.count)\nLH:\(file.covered)\nend_of_record\n"
    }.joined()
  }

  private static func percent(_ covered: Int, _ lines: Int) -> String {
    if lines == 0 { return "-" }
    let tenths = covered * 1000 / lines
    return "\(tenths / 10).\(tenths % 10)%"
  }

  private static func shortened(_ ranges: [String]) -> String {
    ranges.prefix(20).joined(separator: ", ") + (ranges.count > 20 ? ", ..." : "")
  }

  private func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(width, 0)) }
  private func left(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(width - text.count, 0)) + text
  }
}
