/// A place in a configuration file. Lines and columns count from 1; line 0 means the file as a whole.
public struct SourceLocation: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The file as the user named it, or as it was found in a folder that the user named.
  public let file: String
  public let line: Int
  /// Counted in Unicode scalars.
  public let column: Int

  public init(file: String, line: Int = 0, column: Int = 0) {
    self.file = file
    self.line = line
    self.column = column
  }

  /// `file:line`, or the file alone when no line is known.
  public var description: String { line > 0 ? "\(file):\(line)" : file }

  public static func < (left: SourceLocation, right: SourceLocation) -> Bool {
    (left.file, left.line, left.column) < (right.file, right.line, right.column)
  }
}
