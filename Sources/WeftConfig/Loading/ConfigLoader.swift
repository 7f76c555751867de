/// Reads configuration from files, folders and text.
public enum ConfigLoader {
  /// How many files are read at most.
  public static let maxFiles = 10_000

  /// What files and folders hold, before it is looked at.
  public struct Sources: Sendable {
    /// Of each file, in order.
    public fileprivate(set) var documents: [ConfigDocuments] = []
    /// What could not be read.
    public fileprivate(set) var problems: [Diagnostic] = []
    public fileprivate(set) var files: [String] = []
    public fileprivate(set) var folders: [String] = []
  }

  /// Reads every file of `paths`, and every `*.yaml`, `*.yml` and `*.json` directly in its folders, in order. Never
  /// fails: what cannot be read is among the diagnostics.
  public static func load(paths: [String]) -> LoadedConfiguration {
    let sources = read(paths: paths)
    var decoder = ResourceDecoder()
    for documents in sources.documents { decoder.add(documents) }
    return finish(&decoder, sources.problems, files: sources.files, folders: sources.folders)
  }

  /// Reads the documents of files and folders, as `load(paths:)` does.
  public static func read(paths: [String]) -> Sources {
    var sources = Sources()
    var seen: Set<ConfigFile.Identity> = []

    func read(_ path: String) {
      do throws(ConfigFile.Failure) {
        let (content, identity) = try ConfigFile.read(path)
        guard seen.insert(identity).inserted else { return }
        sources.files.append(path)
        guard sources.files.count <= maxFiles else { return }
        guard !content.isEmpty else {
          // Mostly a file that is being written at this moment: taken for what it says, it would end all traffic.
          return sources.problems.append(
            Diagnostic(at: SourceLocation(file: path), "is empty; write into it, if only a comment, or delete it"))
        }
        sources.documents.append(ConfigDocuments(parsing: content, file: path))
      } catch {
        sources.problems.append(Diagnostic(at: SourceLocation(file: path), error.message))
      }
    }

    for path in paths {
      switch ConfigFile.find(path) {
      case .file(let path): read(path)
      case .failure(let message): sources.problems.append(Diagnostic(at: SourceLocation(file: path), message))
      case .folder(let path, let names):
        sources.folders.append(path)
        if names.isEmpty {
          sources.problems.append(
            Diagnostic(.warning, at: SourceLocation(file: path), "holds no *.yaml, *.yml or *.json file"))
        }
        for name in names { read(path.hasSuffix("/") ? path + name : "\(path)/\(name)") }
      }
    }
    if sources.files.count > maxFiles, let last = sources.files.last {
      sources.problems.append(
        Diagnostic(
          at: SourceLocation(file: last), "\(sources.files.count) files are given; at most \(maxFiles) are read"))
    }
    return sources
  }

  /// Reads text as if it were `file`.
  public static func load(text: String, file: String = "inline.yaml") -> LoadedConfiguration {
    var decoder = ResourceDecoder()
    decoder.add(ConfigDocuments(parsing: text, file: file))
    return finish(&decoder, [], files: [file], folders: [])
  }

  /// Takes resources that have been read already, each under the source's name that its locations give.
  public static func load(documents: [ConfigDocuments], sources: [String]) -> LoadedConfiguration {
    var decoder = ResourceDecoder()
    for document in documents { decoder.add(document) }
    return finish(&decoder, [], files: sources, folders: [])
  }

  private static func finish(
    _ decoder: inout ResourceDecoder, _ problems: [Diagnostic], files: [String], folders: [String]
  ) -> LoadedConfiguration {
    decoder.finish()
    let references = ReferenceCheck(decoder.resources)
    return LoadedConfiguration(
      resources: decoder.resources, diagnostics: problems + decoder.diagnostics.all + references.diagnostics.all,
      files: files, folders: folders)
  }
}
