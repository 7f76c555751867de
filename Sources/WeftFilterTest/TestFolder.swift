import Glibc
import WeftBundle
import WeftConfig

/// The folder of a bundle that is tested: the bundle, and the Lua files below its `tests`.
struct TestFolder {
  /// As the user named it, without a slash at the end.
  let path: String
  let bundle: Bundle
  /// Every Lua file below `tests`, by its path in the folder.
  let testFiles: [Bundle.Source]

  /// Files directly in `tests`, which define tests; what lies deeper is there for them to require.
  var entries: [String] { testFiles.map(\.path).filter { $0.split(separator: "/").count == 2 } }

  /// - Throws: `ConfigError` for a folder that holds no bundle, or one that is not right.
  init(_ path: String) throws(ConfigError) {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    self.path = path
    bundle = try Bundle(folder: path)
    var files: [Bundle.Source] = []
    try Self.collect(path, "tests", depth: 0, &files)
    testFiles = files
  }

  private static func collect(
    _ root: String, _ folder: String, depth: Int, _ files: inout [Bundle.Source]
  ) throws(ConfigError) {
    guard depth < Bundle.Limits.depth, let directory = opendir("\(root)/\(folder)") else { return }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory), names.count < Bundle.Limits.entries {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    for name in names.sorted() where !name.hasPrefix(".") {
      let inner = "\(folder)/\(name)"
      var status = stat()
      guard stat("\(root)/\(inner)", &status) == 0 else { continue }
      if status.st_mode & S_IFMT == S_IFDIR {
        try collect(root, inner, depth: depth + 1, &files)
      } else if name.hasSuffix(".lua") && status.st_mode & S_IFMT == S_IFREG {
        files.append(Bundle.Source(path: inner, text: try FileText.read("\(root)/\(inner)")))
      }
      if files.count > Bundle.Limits.files {
        throw FileText.error("\(root)/tests", "has more than \(Bundle.Limits.files) Lua files")
      }
    }
  }
}

/// Whole files, read and written.
public enum FileText {
  /// - Throws: `ConfigError` when there is no such file or it is longer than a file of a bundle may be.
  public static func read(_ path: String) throws(ConfigError) -> [UInt8] {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    if fd < 0 { throw error(path, "cannot be opened: \(reason)") }
    defer { close(fd) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let n = Glibc.read(fd, &buffer, buffer.count)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw error(path, "cannot be read: \(reason)") }
      if n == 0 { return text }
      text.append(contentsOf: buffer[..<n])
      if text.count > 16 * Bundle.Limits.fileBytes { throw error(path, "is too long") }
    }
  }

  /// - Throws: `ConfigError` when the file cannot be written.
  public static func write(_ text: String, to path: String) throws(ConfigError) {
    let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if fd < 0 { throw error(path, "cannot be written: \(reason)") }
    defer { close(fd) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { throw error(path, "cannot be written: \(reason)") }
      rest = rest.dropFirst(n)
    }
  }

  static func error(_ path: String, _ message: String) -> ConfigError {
    ConfigError([Diagnostic(at: SourceLocation(file: path), message)])
  }

  private static var reason: String { String(cString: strerror(errno)) }
}
