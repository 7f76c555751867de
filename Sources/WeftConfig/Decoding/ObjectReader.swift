/// Reads the fields of one mapping: the one way in which resources and the configurations of filters are decoded.
///
/// Reads never throw. A missing or wrong field is remembered with its place, and the read gives a placeholder, so that
/// one pass reports every mistake; `finish()` throws them all, together with the fields that nobody asked for. A field
/// that is null counts as absent.
///
/// ```swift
/// struct Delay {
///   let time: ConfigDuration
///   let percentage: Double
///
///   init(_ node: ConfigNode) throws {
///     let reader = try ObjectReader(node)
///     time = reader.duration("time", in: .milliseconds(1) ... .seconds(60))
///     percentage = reader.double("percentage", in: 0...100, default: 100)
///     try reader.finish()
///   }
/// }
/// ```
///
/// A reader belongs to the thread that made it.
public final class ObjectReader {
  /// The mapping being read.
  public let node: ConfigNode
  let findings: Findings
  /// A reader in place of an object that is missing or no object: it reports nothing further.
  let isMuted: Bool
  private let entries: [ConfigNode.Entry]
  private var asked: [String] = []
  private var takesRest = false
  private var children: [ObjectReader] = []
  private let recorder: ConfigFieldRecorder?

  /// What a reader and the readers of its parts found so far.
  final class Findings {
    var diagnostics = DiagnosticList()
  }

  /// Begins to read `node`. Throws when it is no mapping; null reads as an empty one.
  public convenience init(_ node: ConfigNode) throws(ConfigError) {
    guard node.kind == .mapping || node.kind == .null else {
      throw ConfigError([node.error("expected an object with fields, not \(node.shown)")])
    }
    self.init(node, findings: Findings(), isMuted: false)
  }

  init(_ node: ConfigNode, findings: Findings, isMuted: Bool) {
    self.node = node
    self.findings = findings
    self.isMuted = isMuted
    entries = node.entries
    recorder = ConfigFieldRecorder.current
  }

  /// Decodes the whole of `node` with `body` and throws what went wrong.
  public static func decode<T>(
    _ node: ConfigNode, _ body: (ObjectReader) throws -> T
  ) throws(ConfigError) -> T {
    let reader = try ObjectReader(node)
    let value = reader.attempt(body)
    try reader.finish()
    guard let value else { throw ConfigError(reader.findings.diagnostics.all) }
    return value
  }

  /// Reports every field that nobody asked for, here and in the parts, and throws when there was any error. Gives the
  /// warnings otherwise.
  @discardableResult
  public func finish() throws(ConfigError) -> [Diagnostic] {
    reportUnknownFields()
    if findings.diagnostics.hasErrors { throw ConfigError(findings.diagnostics.all) }
    return findings.diagnostics.all
  }

  /// Whether anything read so far, parts included, was wrong, so that values may be placeholders.
  public var hasErrors: Bool { isMuted || findings.diagnostics.hasErrors }

  // MARK: Presence

  /// Whether the field is given. It then has to be read as well, or to be meant to be ignored.
  public func has(_ name: String) -> Bool { value(name, isRead: false) != nil }

  /// The field as it stands, for a reader of its own; nil when absent.
  public func rawNode(_ name: String) -> ConfigNode? { value(name) }

  /// Every field not asked for so far; none of them is unknown then.
  public func rest() -> [ConfigNode.Entry] {
    takesRest = true
    return entries.filter { !asked.contains($0.key) && $0.value.kind != .null }
  }

  /// Accepts fields that have no meaning here.
  public func ignore(_ names: String...) {
    for name in names { _ = value(name, isRead: false) }
  }

  /// The place of a field, or of the object when the field is absent.
  public func location(of name: String) -> SourceLocation {
    entries.first { $0.key == name }?.value.location ?? node.location
  }

  // MARK: Findings

  /// Reports an error about field `name`, or about the object when `name` is nil.
  public func error(_ name: String? = nil, _ message: String) { report(.error, name, message) }

  /// Reports a warning about field `name`, or about the object when `name` is nil.
  public func warn(_ name: String? = nil, _ message: String) { report(.warning, name, message) }

  /// Reports what was found elsewhere.
  public func report(_ diagnostic: Diagnostic) {
    if !isMuted { findings.diagnostics.append(diagnostic) }
  }

  /// Reports an error when more than one of `names` is given.
  public func atMostOne(of names: String...) {
    let given = names.filter(has)
    if given.count > 1 {
      error(given[1], "cannot stand together with \"\(given[0])\"; keep one of them")
    }
  }

  /// Reports an error unless exactly one of `names` is given.
  public func exactlyOne(of names: String...) {
    let given = names.filter(has)
    if given.count > 1 {
      error(given[1], "cannot stand together with \"\(given[0])\"; keep one of them")
    } else if given.isEmpty {
      error(nil, "needs one of the fields \(names.map { "\"\($0)\"" }.joined(separator: ", "))")
    }
  }

  func report(_ severity: Diagnostic.Severity, _ name: String?, _ message: String) {
    guard !isMuted else { return }
    let path = name.map { node.path.appending($0) } ?? node.path
    let location = name.map(location(of:)) ?? node.location
    findings.diagnostics.append(Diagnostic(severity, at: location, path: path, message))
  }

  func missing(_ name: String) {
    report(.error, name, "is missing; it must be given")
  }

  // MARK: Building blocks of the readers

  /// The field's value, marked as known; nil when it is absent or null.
  func value(_ name: String, hasFields: Bool = false, isRead: Bool = true) -> ConfigNode? {
    if !asked.contains(name) { asked.append(name) }
    let entry = entries.first { $0.key == name && $0.value.kind != .null }
    if isRead { recorder?.note(node.path.appending(name), unvisited: hasFields && entry == nil) }
    return entry?.value
  }

  /// Runs `body` and keeps what it throws as findings.
  func capture<T>(at node: ConfigNode? = nil, _ body: () throws -> T) -> T? {
    do {
      return try body()
    } catch let error as ConfigError {
      if !isMuted { findings.diagnostics.append(contentsOf: error.diagnostics) }
    } catch let error as Diagnostic {
      if !isMuted { findings.diagnostics.append(error) }
    } catch {
      if !isMuted { findings.diagnostics.append((node ?? self.node).error("\(error)")) }
    }
    return nil
  }

  /// The same for a body that reads this object. One that throws has not asked for all fields that it knows, so that
  /// none counts as unknown.
  func attempt<T>(_ body: (ObjectReader) throws -> T) -> T? {
    let value = capture { try body(self) }
    if value == nil { takesRest = true }
    return value
  }

  func child(_ node: ConfigNode, isMuted: Bool = false) -> ObjectReader {
    let child = ObjectReader(node, findings: findings, isMuted: isMuted || self.isMuted)
    children.append(child)
    return child
  }

  private func reportUnknownFields() {
    for child in children { child.reportUnknownFields() }
    children.removeAll()
    guard !takesRest, !isMuted else { return }
    takesRest = true
    for entry in entries where !asked.contains(entry.key) {
      let advice =
        findings.diagnostics.isFull
        ? "" : Suggestion.advice(for: entry.key, among: asked, listing: "known here are")
      findings.diagnostics.append(
        Diagnostic(
          .error, at: entry.keyLocation, path: node.path.appending(entry.key),
          "unknown field \(JSONText.quote(String(entry.key.prefix(80))))\(advice)"))
    }
  }
}
