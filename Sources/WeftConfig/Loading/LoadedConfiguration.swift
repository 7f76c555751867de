/// What was read: the resources, and everything there is to say about them.
public struct LoadedConfiguration: Sendable {
  public let resources: ResourceSet
  /// In the order of files, and of lines within each.
  public let diagnostics: [Diagnostic]
  /// The files read, each once.
  public let files: [String]
  /// The folders that were asked for, where files may come and go.
  public let folders: [String]

  /// Whether the configuration must not be applied.
  public var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

  /// The errors and warnings in the order of their places.
  init(
    resources: ResourceSet, diagnostics: [Diagnostic], files: [String] = [], folders: [String] = []
  ) {
    self.resources = resources
    self.files = files
    self.folders = folders
    let rank = Dictionary(files.enumerated().map { ($1, $0) }) { first, _ in first }
    self.diagnostics = diagnostics.enumerated().sorted { left, right in
      let (a, b) = (left.element.location, right.element.location)
      return (rank[a.file] ?? -1, a.line, a.column, left.offset) < (rank[b.file] ?? -1, b.line, b.column, right.offset)
    }.map(\.element)
  }
}
