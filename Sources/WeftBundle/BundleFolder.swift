import Glibc
import WeftConfig

/// Reads the files of a bundle's folder, within the bundle's limits.
///
/// Symbolic links are followed as long as they stay inside the folder, because that is how Kubernetes mounts a
/// ConfigMap. Names that begin with a dot are left out, and so is `tests`.
struct BundleFolder {
  private let folder: String
  private let root: String

  init(_ folder: String) throws(ConfigError) {
    self.folder = folder
    guard let root = BundleFolder.resolve(folder) else {
      throw Bundle.error(folder, "cannot be opened: \(BundleFolder.reason())")
    }
    self.root = root
  }

  /// The manifest and the Lua files, in the order of their paths' bytes.
  func files() throws(ConfigError) -> [Bundle.Source] {
    var walk = Walk()
    try collect("", depth: 0, &walk)
    return walk.files.sorted { Array($0.path.utf8).lexicographicallyPrecedes(Array($1.path.utf8)) }
  }

  private struct Walk {
    var files: [Bundle.Source] = []
    var bytes = 0
    var entries = 0
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
      if name.hasPrefix(".") || (path.isEmpty && name == "tests") { continue }
      let inner = path.isEmpty ? name : "\(path)/\(name)"
      let isPart = name.hasSuffix(".lua") || inner == BundleManifest.fileName
      guard let place = Self.resolve("\(root)/\(inner)") else {
        if isPart { throw Bundle.error("\(folder)/\(inner)", "cannot be opened: \(Self.reason())") }
        continue
      }
      var status = stat()
      guard stat(place, &status) == 0 else {
        throw Bundle.error("\(folder)/\(inner)", "cannot be read: \(Self.reason())")
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
    let text = try read(path, place)
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
      throw Bundle.error(path.isEmpty ? folder : "\(folder)/\(path)", "cannot be read: \(Self.reason())")
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

  /// Reads a regular file. `O_NONBLOCK`, so that a pipe put in its place does not hold us up.
  private func read(_ path: String, _ place: String) throws(ConfigError) -> [UInt8] {
    let shown = "\(folder)/\(path)"
    let fd = open(place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    if fd < 0 { throw Bundle.error(shown, "cannot be opened: \(Self.reason())") }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Bundle.error(shown, "is no regular file")
    }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let n = Glibc.read(fd, &buffer, buffer.count)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw Bundle.error(shown, "cannot be read: \(Self.reason())") }
      if n == 0 { return text }
      text.append(contentsOf: buffer[..<n])
      if text.count > Bundle.Limits.fileBytes {
        throw Bundle.error(shown, "has more than \(Bundle.Limits.fileBytes) bytes")
      }
    }
  }

  /// The path without links, or nil with `errno`.
  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}
