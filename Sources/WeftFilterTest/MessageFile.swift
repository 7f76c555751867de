import WeftConfig

/// A request or a response as a file describes it: raw HTTP/1.1, or YAML or JSON with the fields that `request{...}` and
/// `upstream{...}` have in tests.
public struct MessageFile {
  /// The fields, as tests name them.
  var fields: [(name: String, value: LuaValue)]

  /// A request with nothing said about it.
  public static var request: MessageFile { MessageFile(fields: []) }

  public enum Kind: Sendable {
    case request, response

    fileprivate var names: [String] {
      switch self {
      case .request:
        [
          "method", "path", "host", "headers", "body", "chunked", "trailers", "client", "tls", "route", "service",
          "listener", "metadata",
        ]
      case .response: ["status", "headers", "body", "chunked", "trailers", "delay", "failure"]
      }
    }
  }

  private init(fields: [(name: String, value: LuaValue)]) { self.fields = fields }

  /// Reads a file.
  /// - Throws: `ConfigError` with the place of the mistake.
  public init(_ path: String, _ kind: Kind) throws(ConfigError) {
    try self.init(FileText.read(path), file: path, kind)
  }

  init(_ text: [UInt8], file: String, _ kind: Kind) throws(ConfigError) {
    let firstLine = String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    let words = firstLine.split(whereSeparator: { $0 == " " || $0 == "\r" })
    let isRaw = kind == .request ? words.last?.hasPrefix("HTTP/1.") : words.first?.hasPrefix("HTTP/1.")
    if isRaw == true {
      fields = try Self.raw(text, file, kind, words.map(String.init))
      return
    }
    let documents = ConfigDocuments(parsing: text, file: file)
    guard documents.diagnostics.isEmpty else { throw ConfigError(documents.diagnostics) }
    guard let root = documents.roots.first, root.kind == .mapping else {
      let form = kind == .request ? "GET / HTTP/1.1" : "HTTP/1.1 200 OK"
      throw FileText.error(file, "is neither HTTP/1.1, beginning with \"\(form)\", nor YAML or JSON")
    }
    fields = []
    for entry in root.entries {
      guard kind.names.contains(entry.key) else {
        throw ConfigError([
          entry.value.error("there is no such field; there are \(kind.names.joined(separator: ", "))")
        ])
      }
      var value = LuaValue(entry.value)
      switch entry.key {
      case "headers", "trailers": value = try Self.headers(entry.value)
      case "body": value = .list(value.items.isEmpty ? [.text(value.text ?? "")] : value.items)
      default: break
      }
      fields.append((entry.key, value))
    }
  }

  /// {name: value} or {name: [value, ...]} as a list of {name, value}.
  private static func headers(_ node: ConfigNode) throws(ConfigError) -> LuaValue {
    guard node.kind == .mapping else { throw ConfigError([node.error("expected an object: {name: value}")]) }
    var fields: [LuaValue] = []
    for entry in node.entries {
      for value in entry.value.kind == .sequence ? entry.value.items : [entry.value] {
        guard let text = LuaValue(value).scalarText else { throw ConfigError([value.error("expected a string")]) }
        fields.append(.list([.text(entry.key), .text(text)]))
      }
    }
    return .list(fields)
  }

  // MARK: Raw HTTP/1.1

  private static func raw(
    _ text: [UInt8], _ file: String, _ kind: Kind, _ words: [String]
  ) throws(ConfigError) -> [(name: String, value: LuaValue)] {
    var lines: [String] = []
    var at = text.startIndex
    var hasEnded = false
    while at < text.endIndex, !hasEnded {
      let end = text[at...].firstIndex(of: UInt8(ascii: "\n")) ?? text.endIndex
      var line = String(decoding: text[at..<end], as: UTF8.self)
      if line.hasSuffix("\r") { line.removeLast() }
      at = end == text.endIndex ? end : end + 1
      if line.isEmpty { hasEnded = true } else { lines.append(line) }
    }
    var headers: [LuaValue] = []
    var fields: [(name: String, value: LuaValue)] = []
    for (i, line) in lines.enumerated().dropFirst() {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
        throw ConfigError([
          Diagnostic(at: SourceLocation(file: file, line: i + 1), "is no header: write \"name: value\"")
        ])
      }
      let name = String(line[..<colon])
      let value = String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
      switch name.lowercased() {
      // The length is what the body in the file has.
      case "content-length": continue
      case "transfer-encoding": fields.append(("chunked", .bool(true)))
      default: headers.append(.list([.text(name), .text(value)]))
      }
    }
    if kind == .request {
      guard words.count == 3 else {
        throw ConfigError([Diagnostic(at: SourceLocation(file: file, line: 1), "expected METHOD TARGET HTTP/1.1")])
      }
      fields += [("method", .text(words[0])), ("path", .text(words[1]))]
    } else {
      guard words.count >= 2, let status = Int64(words[1]) else {
        throw ConfigError([Diagnostic(at: SourceLocation(file: file, line: 1), "expected HTTP/1.1 STATUS REASON")])
      }
      fields.append(("status", .integer(status)))
    }
    fields.append(("headers", .list(headers)))
    if at < text.endIndex { fields.append(("body", .list([.bytes(Array(text[at...]))]))) }
    return fields
  }

  // MARK: Changes

  subscript(name: String) -> LuaValue {
    get { LuaValue.table(fields)[name] }
    set {
      fields.removeAll { $0.name == name }
      fields.append((name, newValue))
    }
  }

  /// Sets the method.
  public mutating func set(method: String) { self["method"] = .text(method) }

  /// Sets path and query, and of a whole URL the host and whether it comes over TLS.
  public mutating func set(url: String) {
    guard let scheme = ["http://", "https://"].first(where: url.hasPrefix) else {
      self["path"] = .text(url)
      return
    }
    let rest = url.dropFirst(scheme.count)
    let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    self["host"] = .text(String(rest[..<slash]))
    self["path"] = .text((rest[slash...].hasPrefix("/") ? "" : "/") + rest[slash...])
    if scheme == "https://" && self["tls"].isNone { self["tls"] = .bool(true) }
  }

  /// Adds a header, `name: value`.
  /// - Returns: whether it was one.
  public mutating func add(header: String) -> Bool {
    guard let colon = header.firstIndex(of: ":"), colon != header.startIndex else { return false }
    let value = header[header.index(after: colon)...].drop { $0 == " " }
    self["headers"] = .list(
      self["headers"].items + [.list([.text(String(header[..<colon])), .text(String(value))])])
    return true
  }

  /// Sets the body, and the method to POST if none is set.
  public mutating func set(body: [UInt8]) {
    self["body"] = .list([.bytes(body)])
    if self["method"].isNone { self["method"] = .text("POST") }
  }
}

extension LuaValue {
  /// What configuration says.
  init(_ node: ConfigNode) {
    switch node.kind {
    case .null: self = .none
    case .bool: self = .bool(node.boolValue ?? false)
    case .integer: self = node.intValue.map { .integer(Int64($0)) } ?? .none
    case .float: self = node.doubleValue.map { .number($0) } ?? .none
    case .string: self = .text(node.stringValue ?? "")
    case .sequence: self = .list(node.items.map { LuaValue($0) })
    case .mapping: self = .table(node.entries.map { ($0.key, LuaValue($0.value)) })
    }
  }

  /// A string, or a number or boolean as one would write it.
  var scalarText: String? {
    switch self {
    case .bytes: text
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    default: nil
    }
  }
}
