/// The documents of one configuration file.
public struct ConfigDocuments: Sendable {
  /// The roots, in order. Empty documents are left out.
  public let roots: [ConfigNode]
  /// Syntax errors and repeated fields. A syntax error ends the file: `roots` holds what came before it.
  public let diagnostics: [Diagnostic]

  /// What a file may hold. The bounds are far above what a person or a generator writes, and keep a hostile or mistaken
  /// file from taking the process down.
  public enum Limits {
    /// Bytes of one file.
    public static let bytes = 16 << 20
    /// Nesting of mappings and sequences.
    public static let depth = 100
    /// Values of one file, those that aliases repeat included.
    public static let values = 2_000_000
    /// Values of one file that aliases (`*name`) and merges (`<<`) repeat.
    public static let aliasedValues = 200_000
  }

  /// Reads `text`: as JSON when `file` ends in `.json`, otherwise as YAML. Never fails: problems are `diagnostics`.
  public init(parsing text: [UInt8], file: String) {
    guard text.count <= Limits.bytes else {
      let message = "the file has \(text.count) bytes and the limit is \(Limits.bytes); split it into several files"
      self.init(trees: [], diagnostics: [Diagnostic(.error, at: SourceLocation(file: file), message)], file: file)
      return
    }
    if file.hasSuffix(".json") {
      let result = JSONReader.read(text, file: file)
      self.init(trees: result.trees, diagnostics: result.diagnostics, file: file)
    } else {
      let result = YAMLReader.read(text, file: file)
      self.init(trees: result.trees, diagnostics: result.diagnostics, file: file)
    }
  }

  /// The same for text at hand.
  public init(parsing text: String, file: String) {
    self.init(parsing: Array(text.utf8), file: file)
  }

  /// One document of a file alone.
  public init(_ root: ConfigNode) {
    roots = [root]
    diagnostics = []
  }

  /// A document that was not written in a file: messages name `source` and no line.
  public init(_ value: JSONValue, source: String) {
    self.init(trees: [value.tree], diagnostics: [], file: source)
  }

  /// Reads JSON whatever `source`, which messages name in place of a file, is called.
  public init(json text: [UInt8], source: String) {
    guard text.count <= Limits.bytes else {
      let message = "the resource has \(text.count) bytes and the limit is \(Limits.bytes)"
      self.init(trees: [], diagnostics: [Diagnostic(.error, at: SourceLocation(file: source), message)], file: source)
      return
    }
    let result = JSONReader.read(text, file: source)
    self.init(trees: result.trees, diagnostics: result.diagnostics, file: source)
  }

  private init(trees: [ConfigTree], diagnostics: [Diagnostic], file: String) {
    roots = trees.filter { $0.content != .null }.map { ConfigNode(tree: $0, file: file) }
    self.diagnostics = diagnostics
  }
}

extension ConfigNode {
  /// The one document of `yaml`. For tests and for configuration that a program writes itself.
  public init(yaml: String, file: String = "inline.yaml") throws(ConfigError) {
    let documents = ConfigDocuments(parsing: yaml, file: file)
    guard documents.diagnostics.isEmpty else { throw ConfigError(documents.diagnostics) }
    guard documents.roots.count <= 1 else {
      throw ConfigError([Diagnostic(.error, at: SourceLocation(file: file), "more than one document")])
    }
    self = documents.roots.first ?? .empty(at: SourceLocation(file: file))
  }
}
