/// Reads JSON (RFC 8259) with the place of every value. Several values may follow one another, separated by white space.
struct JSONReader {
  static func read(_ text: [UInt8], file: String) -> (trees: [ConfigTree], diagnostics: [Diagnostic]) {
    var reader = JSONReader(text: text, file: file)
    var trees: [ConfigTree] = []
    do throws(Diagnostic) {
      reader.skipByteOrderMark()
      reader.skipSpace()
      while reader.offset < text.count {
        trees.append(try reader.value(at: .root, depth: 0))
        reader.skipSpace()
      }
    } catch {
      reader.diagnostics.append(error)
    }
    return (trees, reader.diagnostics.all)
  }

  private let text: [UInt8]
  private let file: String
  private var offset = 0
  private var line: Int32 = 1
  private var column: Int32 = 1
  private var values = 0
  private var diagnostics = DiagnosticList()

  private init(text: [UInt8], file: String) {
    self.text = text
    self.file = file
  }

  private var current: UInt8? { offset < text.count ? text[offset] : nil }

  private mutating func advance() {
    guard let byte = current else { return }
    offset += 1
    if byte == UInt8(ascii: "\n") {
      line &+= 1
      column = 1
    } else if byte & 0xc0 != 0x80 {
      column &+= 1
    }
  }

  private mutating func skipByteOrderMark() {
    if text.starts(with: [0xef, 0xbb, 0xbf]) { offset = 3 }
  }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { advance() }
  }

  private func failure(_ path: FieldPath, _ message: String) -> Diagnostic {
    Diagnostic(.error, at: SourceLocation(file: file, line: Int(line), column: Int(column)), path: path, message)
  }

  /// How to name the next byte in a message.
  private var found: String {
    guard let byte = current else { return "the end of the file" }
    return byte > 0x20 && byte < 0x7f ? "\"\(Character(Unicode.Scalar(byte)))\"" : "byte 0x\(String(byte, radix: 16))"
  }

  private mutating func value(at path: FieldPath, depth: Int) throws(Diagnostic) -> ConfigTree {
    guard depth <= ConfigDocuments.Limits.depth else {
      throw failure(path, "nested more than \(ConfigDocuments.Limits.depth) levels deep")
    }
    values += 1
    guard values <= ConfigDocuments.Limits.values else {
      throw failure(path, "more than \(ConfigDocuments.Limits.values) values in one file; split it")
    }
    let (line, column) = (line, column)
    let content: ConfigTree.Content
    switch current {
    case UInt8(ascii: "{"): content = try mapping(at: path, depth: depth)
    case UInt8(ascii: "["): content = try sequence(at: path, depth: depth)
    case UInt8(ascii: "\""): content = .string(try string(at: path))
    default: content = try literal(at: path)
    }
    return ConfigTree(content: content, line: line, column: column)
  }

  private mutating func mapping(at path: FieldPath, depth: Int) throws(Diagnostic) -> ConfigTree.Content {
    var builder = MappingBuilder()
    advance()
    skipSpace()
    if current == UInt8(ascii: "}") {
      advance()
      return .mapping([])
    }
    while true {
      guard current == UInt8(ascii: "\"") else { throw failure(path, "expected a field name in quotes, not \(found)") }
      let (line, column) = (line, column)
      let key = try string(at: path)
      skipSpace()
      guard current == UInt8(ascii: ":") else { throw failure(path, "expected \":\" after \"\(key)\", not \(found)") }
      advance()
      skipSpace()
      let value = try value(at: path.appending(key), depth: depth + 1)
      let entry = ConfigTree.Entry(key: key, line: line, column: column, value: value)
      if let first = builder.add(entry) {
        diagnostics.append(.repeatedField(entry, first: first, file: file, path: path))
      }
      skipSpace()
      switch current {
      case UInt8(ascii: ","):
        advance()
        skipSpace()
      case UInt8(ascii: "}"):
        advance()
        return .mapping(builder.entries)
      default: throw failure(path, "expected \",\" or \"}\", not \(found)")
      }
    }
  }

  private mutating func sequence(at path: FieldPath, depth: Int) throws(Diagnostic) -> ConfigTree.Content {
    var items: [ConfigTree] = []
    advance()
    skipSpace()
    if current == UInt8(ascii: "]") {
      advance()
      return .sequence([])
    }
    while true {
      items.append(try value(at: path.appending(items.count), depth: depth + 1))
      skipSpace()
      switch current {
      case UInt8(ascii: ","):
        advance()
        skipSpace()
      case UInt8(ascii: "]"):
        advance()
        return .sequence(items)
      default: throw failure(path, "expected \",\" or \"]\", not \(found)")
      }
    }
  }

  private mutating func literal(at path: FieldPath) throws(Diagnostic) -> ConfigTree.Content {
    let start = offset
    var end = start
    while end < text.count, JSONReader.isLiteral(text[end]) { end += 1 }
    let word = String(decoding: text[start..<end], as: UTF8.self)
    let content: ConfigTree.Content
    switch word {
    case "true": content = .bool(true)
    case "false": content = .bool(false)
    case "null": content = .null
    case "": throw failure(path, "expected a value, not \(found)")
    default:
      guard JSONReader.isNumber(text[start..<end]) else {
        throw failure(path, "\"\(word.prefix(40))\" is no JSON value; strings need double quotes")
      }
      content = ScalarSyntax.resolve(word)
    }
    while offset < end { advance() }
    return content
  }

  private static func isLiteral(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// RFC 8259 section 6: no leading plus, zeros or point.
  private static func isNumber(_ word: ArraySlice<UInt8>) -> Bool {
    var rest = word
    func digits() -> Int {
      let before = rest.count
      rest = rest.drop { $0 &- UInt8(ascii: "0") < 10 }
      return before - rest.count
    }
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let leadingZero = rest.first == UInt8(ascii: "0")
    let whole = digits()
    guard whole > 0, whole == 1 || !leadingZero else { return false }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      guard digits() > 0 else { return false }
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
      guard digits() > 0 else { return false }
    }
    return rest.isEmpty
  }

  private mutating func string(at path: FieldPath) throws(Diagnostic) -> String {
    advance()
    var bytes: [UInt8] = []
    while true {
      guard let byte = current else { throw failure(path, "the string has no closing quote") }
      switch byte {
      case UInt8(ascii: "\""):
        advance()
        guard let string = String(validating: bytes, as: UTF8.self) else {
          throw failure(path, "the string is not valid UTF-8")
        }
        return string
      case UInt8(ascii: "\\"):
        advance()
        try escape(into: &bytes, at: path)
      case 0..<0x20: throw failure(path, "a control character in a string; write it as an escape such as \\n")
      default:
        bytes.append(byte)
        advance()
      }
    }
  }

  private mutating func escape(into bytes: inout [UInt8], at path: FieldPath) throws(Diagnostic) {
    guard let byte = current else { throw failure(path, "the string has no closing quote") }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0c)
    case UInt8(ascii: "n"): bytes.append(0x0a)
    case UInt8(ascii: "r"): bytes.append(0x0d)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      advance()
      var code = UInt32(try hexDigits(at: path))
      if code & 0xfc00 == 0xd800, current == UInt8(ascii: "\\") {
        advance()
        guard current == UInt8(ascii: "u") else { throw failure(path, "half of a surrogate pair") }
        advance()
        let low = UInt32(try hexDigits(at: path))
        guard low & 0xfc00 == 0xdc00 else { throw failure(path, "half of a surrogate pair") }
        code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure(path, "half of a surrogate pair") }
      bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
      return
    default: throw failure(path, "unknown escape in a string: \(found) after a backslash")
    }
    advance()
  }

  private mutating func hexDigits(at path: FieldPath) throws(Diagnostic) -> UInt16 {
    var code: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure(path, "expected four hexadecimal digits after \\u, not \(found)")
      }
      code = code << 4 | UInt16(truncatingIfNeeded: digit)
      advance()
    }
    return code
  }
}

extension Diagnostic {
  static func repeatedField(
    _ entry: ConfigTree.Entry, first: ConfigTree.Entry, file: String, path: FieldPath
  ) -> Diagnostic {
    Diagnostic(
      .error, at: SourceLocation(file: file, line: Int(entry.line), column: Int(entry.column)),
      path: path.appending(entry.key),
      "\"\(entry.key)\" is given twice, first at line \(first.line); keep one")
  }
}
