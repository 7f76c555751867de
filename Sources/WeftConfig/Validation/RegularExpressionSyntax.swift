internal import CPCRE2

/// Whether a pattern is one that PCRE2, which matches it later, can compile.
enum RegularExpressionSyntax {
  /// What is wrong with the pattern; nil when nothing is.
  static func problem(_ pattern: String) -> String? {
    var pattern = pattern
    return pattern.withUTF8 { bytes in
      var code: Int32 = 0
      var offset = 0
      guard let compiled = pcre2_compile_8(bytes.baseAddress, bytes.count, 0, &code, &offset, nil) else {
        var message = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(code, &message, message.count)
        let text = length > 0 ? String(decoding: message.prefix(Int(length)), as: UTF8.self) : "error \(code)"
        return "is no valid regular expression: \(text), at character \(offset + 1)"
      }
      pcre2_code_free_8(compiled)
      return nil
    }
  }
}

extension StringRule {
  static let regularExpression = StringRule(RegularExpressionSyntax.problem)
}
