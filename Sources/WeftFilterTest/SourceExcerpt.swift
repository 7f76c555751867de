/// The lines of a file around one of them.
public enum SourceExcerpt {
  public struct Line: Sendable {
    public let number: Int
    public let text: String
    public let isMarked: Bool
  }

  static func around(_ line: Int, of text: [UInt8], context: Int = 2) -> [Line] {
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    let first = max(line - context, 1)
    let last = min(line + context, lines.count)
    guard first <= last else { return [] }
    return (first...last).map { Line(number: $0, text: String(lines[$0 - 1]), isMarked: $0 == line) }
  }
}
