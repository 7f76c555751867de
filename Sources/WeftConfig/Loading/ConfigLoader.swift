/// Reads configuration from files, folders and text.
public enum ConfigLoader {
  /// How many files are read at most.
  public static let maxFiles = 10_000

  /// Reads every file of `paths`, and every `*.yaml`, `*.yml` and `*.json` directly in its folders, in order. Never
  /// fails: what cannot be read is among the diagnostics.
  public static func load(paths: [String]) -> LoadedConfiguration {
    var decoder = ResourceDecoder()
    var problems: [Diagnostic] = []
    var files: [String] = []
    var folders: [String] = []
    var seen: Set<ConfigFile.Identity> = []

    func read(_ path: String) {
      do throws(ConfigFile.Failure) {
        let (content, identity) = try ConfigFile.read(path)
        guard seen.insert(identity).inserted else { return }
        files.append(path)
        guard files.count <= maxFiles else { return }
        guard !content.isEmpty else {
          // Mostly a file that is being written at this moment: taken for what it says, it would end all traffic.
          return problems.append(
            Diagnostic(at: SourceLocation(file: path), "is empty; write into it, if only a comment, or delete it"))
        }
        decoder.add(ConfigDocuments(parsing: content, file: path))
      } catch {
        problems.append(Diagnostic(at: SourceLocation(file: path), error.message))
      }
    }

    for path in paths {
      switch ConfigFile.find(path) {
      case .file(let path): read(path)
      case .failure(let message): problems.append(Diagnostic(at: SourceLocation(file: path), message))
      case .folder(let path, let names):
        folders.append(path)
        if names.isEmpty {
          problems.append(Diagnostic(.warning, at: SourceLocation(file: path), "holds no *.yaml, *.yml or *.json file"))
        }
        for name in names { read(path.hasSuffix("/") ? path + name : "\(path)/\(name)") }
      }
    }
    if files.count > maxFiles, let last = files.last {
      problems.append(
        Diagnostic(at: SourceLocation(file: last), "\(files.count) files are given; at most \(maxFiles) are read"))
    }
    return finish(&decoder, problems, files: files, folders: folders)
  }

  /// Reads text as if it were `file`.
  public static func load(text: String, file: String = "inline.yaml") -> LoadedConfiguration {
    var decoder = ResourceDecoder()
    decoder.add(ConfigDocuments(parsing: text, file: file))
    return finish(&decoder, [], files: [file], folders: [])
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
