/// A regular expression or a replacement template that cannot be used, found when it is compiled.
public struct PatternError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The text that was to be compiled.
  public let text: String
  /// What is wrong with it, in a few words.
  public let message: String
  /// Where in `text`, in bytes from its start.
  public let offset: Int

  public init(text: String, message: String, offset: Int) {
    self.text = text
    self.message = message
    self.offset = offset
  }

  public var description: String { "\"\(text)\", at offset \(offset): \(message)" }
}

/// A match that was given up. The subject neither matches nor fails to match: treat it as refused, not as different.
public enum PatternMatchError: Error, Equatable, Sendable {
  /// More backtracking than `PatternLimits.steps` and `PatternLimits.work` allow.
  case stepLimit
  /// More memory for backtracking than `PatternLimits.heapBytes` or `PatternLimits.stackBytes` allows.
  case memoryLimit
  /// A scan took more processor time than `PatternLimits.scanNanoseconds`.
  case timeLimit
  /// The result of a replacement would be longer than its limit.
  case outputLimit
  /// Anything else, by PCRE2's number; see pcre2.h. None is expected.
  case engine(Int32)
}
