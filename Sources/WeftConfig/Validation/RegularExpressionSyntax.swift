internal import CPCRE2

/// Whether a pattern is one that PCRE2, which matches it later, can compile: as bytes, against a whole value.
enum RegularExpressionSyntax {
  /// Capturing groups that a pattern may have.
  static let groupLimit: UInt32 = 63
  private static let options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF

  /// What is wrong with the pattern; nil when nothing is.
  static func problem(_ pattern: String) -> String? {
    var pattern = pattern
    return pattern.withUTF8 { bytes in
      var code: Int32 = 0
      var offset = 0
      guard let compiled = pcre2_compile_8(bytes.baseAddress, bytes.count, options, &code, &offset, nil) else {
        var message = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(code, &message, message.count)
        let text = length > 0 ? String(decoding: message.prefix(Int(length)), as: UTF8.self) : "error \(code)"
        return "is no valid regular expression: \(text), at character \(offset + 1)"
      }
      defer { pcre2_code_free_8(compiled) }
      var groups: UInt32 = 0
      guard pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &groups) == 0, groups <= groupLimit else {
        return
          "has \(groups) capturing groups, and at most \(groupLimit) are allowed; write (?:...) for those not needed"
      }
      return nil
    }
  }
}

extension StringRule {
  static let regularExpression = StringRule(RegularExpressionSyntax.problem)
}
