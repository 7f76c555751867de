import Glibc
import WeftConfig

/// Reads the files of a bundle's folder, within the bundle's limits.
///
/// Symbolic links are followed as long as they stay inside the folder, because that is how Kubernetes mounts a
/// ConfigMap. Names that begin with a dot are left out, and so is every file that a bundle does not hold.
struct BundleFolder {
  private let folder: String
  private let root: String

  init(_ folder: String) throws(ConfigError) {
    self.folder = folder
    guard let root = BundleFolder.resolve(folder) else {
      throw Bundle.error(folder, "cannot be opened: \(BundleFile.reason())")
    }
    self.root = root
  }

  /// The bundle's files, in the order of their paths' bytes.
  func files() throws(ConfigError) -> [Bundle.Source] {
    var walk = Walk()
    try collect("", depth: 0, &walk)
    return walk.files.sorted { BundleLayout.precedes($0.path, $1.path) }
  }

  private struct Walk {
    var files: [Bundle.Source] = []
    var bytes = 0
    var entries = 0
    var collisions = PathCollisions()
  }

  private func collect(_ path: String, depth: Int, _ walk: inout Walk) throws(ConfigError) {
    guard depth <= Bundle.Limits.depth else {
      throw Bundle.error("\(folder)/\(path)", "folders nest deeper than \(Bundle.Limits.depth)")
    }
    for name in try names(path) {
      walk.entries += 1
      if walk.entries > Bundle.Limits.entries {
        throw Bundle.error(folder, "has more than \(Bundle.Limits.entries) entries; is it the folder of a bundle?")
      }
      if name.hasPrefix(".") { continue }
      let inner = path.isEmpty ? name : "\(path)/\(name)"
      let isPart = BundleLayout.isPart(inner)
      guard let place = Self.resolve("\(root)/\(inner)") else {
        if isPart { throw Bundle.error("\(folder)/\(inner)", "cannot be opened: \(BundleFile.reason())") }
        continue
      }
      var status = stat()
      guard stat(place, &status) == 0 else {
        throw Bundle.error("\(folder)/\(inner)", "cannot be read: \(BundleFile.reason())")
      }
      let type = status.st_mode & S_IFMT
      guard isPart || type == S_IFDIR else { continue }
      guard place.hasPrefix(root == "/" ? "/" : root + "/") else {
        throw Bundle.error("\(folder)/\(inner)", "is a link that leads outside the bundle")
      }
      if type == S_IFDIR {
        try collect(inner, depth: depth + 1, &walk)
      } else {
        try add(inner, place, &walk)
      }
    }
  }

  private func add(_ path: String, _ place: String, _ walk: inout Walk) throws(ConfigError) {
    let shown = "\(folder)/\(path)"
    if let problem = BundleLayout.problem(path) { throw Bundle.error(shown, problem) }
    if let other = walk.collisions.insert(path) {
      throw Bundle.error(shown, "cannot lie beside \"\(other)\" on every file system")
    }
    let text = try BundleFile.read(place, shown: shown, limit: Bundle.Limits.fileBytes, flags: O_NOFOLLOW)
    walk.bytes += text.count
    if walk.bytes > Bundle.Limits.totalBytes {
      throw Bundle.error(folder, "the bundle has more than \(Bundle.Limits.totalBytes) bytes")
    }
    walk.files.append(Bundle.Source(path: path, text: text))
    if walk.files.count > Bundle.Limits.files {
      throw Bundle.error(folder, "the bundle has more than \(Bundle.Limits.files) files")
    }
  }

  private func names(_ path: String) throws(ConfigError) -> [String] {
    guard let directory = opendir("\(root)/\(path)") else {
      throw Bundle.error(path.isEmpty ? folder : "\(folder)/\(path)", "cannot be read: \(BundleFile.reason())")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory), names.count <= Bundle.Limits.entries {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The path without links, or nil with `errno`.
  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
