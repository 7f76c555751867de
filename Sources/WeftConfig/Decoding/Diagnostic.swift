/// One finding about the configuration: what is wrong, where, and what to do about it.
public struct Diagnostic: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Severity: String, Sendable, Hashable {
    /// The configuration is not applied.
    case error
    /// The configuration is applied; part of it has no effect, or answers with an error at run time.
    case warning
  }

  public var severity: Severity
  public var location: SourceLocation
  /// The field that the finding is about; `.root` where it concerns a whole document or file.
  public var path: FieldPath
  /// One sentence without a full stop. Says what to do where that is not plain.
  public var message: String

  public init(
    _ severity: Severity = .error, at location: SourceLocation, path: FieldPath = .root, _ message: String
  ) {
    self.severity = severity
    self.location = location
    self.path = path
    self.message = message
  }

  /// `route.yaml:14: spec.rules[0].filters[1].extensionRef: no Filter named "x"`, with `warning:` before the path of a
  /// warning.
  public var description: String {
    var text = "\(location): "
    if severity == .warning { text += "warning: " }
    if path != .root { text += "\(path): " }
    return text + message
  }

  /// One JSON object: `severity`, `file`, `line`, `column`, `path`, `message`.
  public var json: String {
    """
    {"severity":"\(severity.rawValue)","file":\(JSONText.quote(location.file)),"line":\(location.line),\
    "column":\(location.column),"path":\(JSONText.quote(path.description)),"message":\(JSONText.quote(message))}
    """
  }
}

/// What decoding throws: at least one error, and the warnings found on the way.
public struct ConfigError: Error, Sendable, CustomStringConvertible {
  public let diagnostics: [Diagnostic]

  public init(_ diagnostics: [Diagnostic]) {
    self.diagnostics = diagnostics
  }

  /// One line for each diagnostic.
  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
