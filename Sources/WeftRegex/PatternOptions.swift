import CPCRE2

extension Pattern {
  /// Which part of the subject a pattern must match. Fixed when it is compiled, because the fast path for each differs.
  public enum Anchoring: Sendable {
    /// All of it, from the first byte to the last.
    case whole
    /// Some of it, from the first byte.
    case start
    /// Any part.
    case anywhere

    var flags: UInt32 {
      switch self {
      case .whole: PCRE2_ANCHORED | PCRE2_ENDANCHORED
      case .start: PCRE2_ANCHORED
      case .anywhere: PCRE2_USE_OFFSET_LIMIT
      }
    }
  }

  /// How a pattern is read. Without any, it works on bytes, is case-sensitive, and `.` matches all but a newline.
  public struct Options: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Letters match either case (`(?i)`).
    public static let caseInsensitive = Options(rawValue: 1)
    /// `.` matches a newline too (`(?s)`).
    public static let dotMatchesNewline = Options(rawValue: 2)
    /// `^` and `$` match at line ends within the subject (`(?m)`).
    public static let multiline = Options(rawValue: 4)
    /// Pattern and subject are UTF-8; bytes of the subject that are not match nothing.
    public static let utf8 = Options(rawValue: 8)

    var flags: UInt32 {
      var flags = PCRE2_NEVER_BACKSLASH_C
      if contains(.caseInsensitive) { flags |= PCRE2_CASELESS }
      if contains(.dotMatchesNewline) { flags |= PCRE2_DOTALL }
      if contains(.multiline) { flags |= PCRE2_MULTILINE }
      // Without `.utf8`, a pattern must not switch to UTF by itself (`(*UTF)`): the fast path skips the check that the
      // subject is valid.
      flags |= contains(.utf8) ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : PCRE2_NEVER_UTF
      return flags
    }
  }
}
