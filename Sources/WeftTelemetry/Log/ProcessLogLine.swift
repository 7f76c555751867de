import Logging
import WeftIO

/// One message of the process log and how it is set down. Messages and metadata may hold foreign bytes: what could end a
/// line, or tell a terminal something, is escaped, save that a newline in a text message goes on indented.
struct ProcessLogLine {
  let time: UInt64
  let level: Logger.Level
  let label: String
  let message: String
  let metadata: [(key: String, value: Logger.MetadataValue)]

  /// What is left of a line that does not fit: even escaped byte by byte it does.
  var cut: ProcessLogLine {
    func start(of text: String, _ count: Int) -> String {
      text.utf8.count <= count ? text : String(decoding: text.utf8.prefix(count), as: UTF8.self)
    }
    return ProcessLogLine(
      time: time, level: level, label: start(of: label, 64), message: start(of: message, 8000),
      metadata: [("truncated", "true")])
  }

  func append(to out: inout ByteWriter, _ format: ProcessLog.Format, colour: Bool) {
    switch format {
    case .text: appendText(to: &out, colour)
    case .json: appendJSON(to: &out)
    }
    out.append(byte: 0x0a)
  }

  private func appendTime(to out: inout ByteWriter) {
    var cache = TimeCache()
    cache.append(time, .iso8601, to: &out)
    cache.free()
  }

  // MARK: JSON

  private func appendJSON(to out: inout ByteWriter) {
    out.append("{\"time\":\"")
    appendTime(to: &out)
    out.append("\",\"level\":\"")
    out.append(level.rawValue)
    out.append("\",\"logger\":")
    out.append(quoted: label)
    out.append(",\"message\":")
    out.append(quoted: message)
    if !metadata.isEmpty {
      out.append(",\"metadata\":{")
      for (i, (key, value)) in metadata.enumerated() {
        if i > 0 { out.append(byte: 0x2c) }
        out.append(quoted: key)
        out.append(byte: 0x3a)
        appendJSON(value, depth: 0, to: &out)
      }
      out.append(byte: 0x7d)
    }
    out.append(byte: 0x7d)
  }

  private static let maxDepth = 8

  private func appendJSON(_ value: Logger.MetadataValue, depth: Int, to out: inout ByteWriter) {
    switch value {
    case .string(let text): out.append(quoted: text)
    case .stringConvertible(let object): out.append(quoted: object.description)
    case .dictionary, .array:
      if depth >= ProcessLogLine.maxDepth {
        out.append(quoted: "...")
      } else if case .dictionary(let members) = value {
        out.append(byte: 0x7b)
        for (i, (key, member)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
          if i > 0 { out.append(byte: 0x2c) }
          out.append(quoted: key)
          out.append(byte: 0x3a)
          appendJSON(member, depth: depth + 1, to: &out)
        }
        out.append(byte: 0x7d)
      } else if case .array(let members) = value {
        out.append(byte: 0x5b)
        for (i, member) in members.enumerated() {
          if i > 0 { out.append(byte: 0x2c) }
          appendJSON(member, depth: depth + 1, to: &out)
        }
        out.append(byte: 0x5d)
      }
    }
  }

  // MARK: Text

  /// `2026-11-23T06:08:40.765Z INFO   config     message key=value key="two words"`
  private func appendText(to out: inout ByteWriter, _ colour: Bool) {
    appendTime(to: &out)
    out.append(byte: 0x20)
    let (name, paint) = ProcessLogLine.name(of: level)
    if colour { out.append(paint) }
    out.append(name)
    if colour { out.append("\u{1b}[0m") }
    out.append(byte: 0x20)
    append(plain: label, to: &out)
    for _ in 0..<max(10 - label.utf8.count, 0) { out.append(byte: 0x20) }
    out.append(byte: 0x20)
    append(plain: message, to: &out)
    for (key, value) in metadata {
      out.append(byte: 0x20)
      if colour { out.append("\u{1b}[2m") }
      append(plain: key, to: &out)
      out.append(byte: 0x3d)
      if colour { out.append("\u{1b}[0m") }
      switch value {
      case .string(let text): append(word: text, to: &out)
      case .stringConvertible(let object): append(word: object.description, to: &out)
      case .dictionary, .array: appendJSON(value, depth: 0, to: &out)
      }
    }
  }

  /// Six columns, and the terminal's colour.
  private static func name(of level: Logger.Level) -> (StaticString, StaticString) {
    switch level {
    case .trace: ("TRACE ", "\u{1b}[90m")
    case .debug: ("DEBUG ", "\u{1b}[90m")
    case .info: ("INFO  ", "\u{1b}[32m")
    case .notice: ("NOTICE", "\u{1b}[36m")
    case .warning: ("WARN  ", "\u{1b}[33m")
    case .error: ("ERROR ", "\u{1b}[31m")
    case .critical: ("CRIT  ", "\u{1b}[1;31m")
    }
  }

  /// As it is where it is one word, else in quotes.
  private func append(word: String, to out: inout ByteWriter) {
    let plain = word.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != 0x22 && $0 != 0x3d && $0 != 0x5c && $0 < 0x80 }
    if plain && !word.isEmpty {
      out.append(word)
    } else {
      out.append(quoted: word)
    }
  }

  /// Text outside quotes: a newline goes on, indented, so that no line but ours starts in the first column.
  private func append(plain text: String, to out: inout ByteWriter) {
    var text = text
    text.withUTF8 { utf8 in
      if let p = utf8.baseAddress { out.appendDisplayed(Bytes(p, utf8.count)) }
    }
  }
}

extension ByteWriter {
  /// A JSON string.
  fileprivate mutating func append(quoted text: String) {
    append(byte: 0x22)
    var text = text
    text.withUTF8 { utf8 in
      if let p = utf8.baseAddress { appendJSONEscaped(Bytes(p, utf8.count)) }
    }
    append(byte: 0x22)
  }
}
