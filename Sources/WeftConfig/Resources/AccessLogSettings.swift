/// One access log of the process.
public struct AccessLogSettings: Sendable, Hashable {
  public enum Format: String, Sendable, Hashable, CaseIterable { case text, json }

  public enum Destination: Sendable, Hashable {
    case standardOutput
    case standardError
    /// An absolute path, opened for appending.
    case file(String)
  }

  public let destination: Destination
  public let format: Format
  /// One line of a text log, with command operators such as `%RESPONSE_CODE%`; nil: the default format.
  public let template: String?
  /// The members of a JSON log, in order: a mapping of templates, which may nest in mappings and lists; nil: the
  /// default ones.
  public let fields: ConfigNode?
  /// Status codes that are logged; empty: all.
  public let statuses: [ClosedRange<Int>]
  /// Requests that took less are not logged.
  public let minDuration: ConfigDuration
  public let origin: Origin

  init(_ reader: ObjectReader) {
    origin = Origin(reader.node)
    let path = reader.string("path", .logPath, default: "stdout")
    switch path {
    case "stdout": destination = .standardOutput
    case "stderr": destination = .standardError
    default: destination = .file(path)
    }
    format = reader.enumeration("format", default: .text)
    template = reader.optionalString("template", .length(1...8192))
    fields = reader.optional("fields") { node in
      guard node.kind == .mapping else { throw node.error("expected an object with fields, not \(node.shown)") }
      try AccessLogSettings.checkTemplates(node)
      return node
    }
    let filter = reader.optionalObject("filter")
    statuses = filter?.list("status", count: 0...64, AccessLogSettings.statuses) ?? []
    minDuration = filter?.duration("minDuration", default: .zero) ?? .zero
    if format == .text, reader.has("fields") {
      reader.error("fields", "belongs to \"format: json\"; a text log has a template")
    }
    if format == .json, reader.has("template") {
      reader.error("template", "belongs to \"format: text\"; a JSON log has fields")
    }
  }

  /// Everything within the fields of a JSON log is a template in the end.
  private static func checkTemplates(_ node: ConfigNode) throws {
    switch node.kind {
    case .mapping: for entry in node.entries { try checkTemplates(entry.value) }
    case .sequence: for item in node.items { try checkTemplates(item) }
    case .null, .bool, .integer, .float, .string: _ = try node.string(.length(1...8192))
    }
  }

  /// Reads `404`, `"5xx"` or `"500-503"`.
  private static func statuses(_ node: ConfigNode) throws(Diagnostic) -> ClosedRange<Int> {
    let allowed = 100...599
    if node.kind == .integer {
      let status = try node.int(in: allowed)
      return status...status
    }
    let text = try node.string()
    if text.utf8.count == 3, text.hasSuffix("xx"), let digit = text.first?.wholeNumberValue, (1...5).contains(digit) {
      return (digit * 100)...(digit * 100 + 99)
    }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    if ends.count == 1, let status = ends[0], allowed.contains(status) { return status...status }
    if ends.count == 2, let low = ends[0], let high = ends[1], allowed.contains(low), allowed.contains(high),
      low <= high
    {
      return low...high
    }
    throw node.error("\"\(text.prefix(40))\" is no status; write 404, 5xx or 500-503")
  }
}

extension StringRule {
  static let logPath = StringRule(
    "use stdout, stderr or an absolute path", { $0 == "stdout" || $0 == "stderr" || $0.hasPrefix("/") })
}
