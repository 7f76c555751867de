import Glibc
import WeftConfig

/// Files that a bundle is read from and written to.
enum BundleFile {
  /// Whether there is a regular file; a folder and nothing at all are none.
  static func isRegular(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The content of a regular file. `O_NONBLOCK`, so that a pipe put in its place does not hold us up.
  /// - Parameter shown: what messages call it; the path when not given.
  /// - Throws: `ConfigError` when it cannot be read or has more than `limit` bytes.
  static func read(_ path: String, shown: String? = nil, limit: Int, flags: Int32 = 0) throws(ConfigError) -> [UInt8] {
    let shown = shown ?? path
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags)
    if fd < 0 { throw Bundle.error(shown, "cannot be opened: \(reason())") }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Bundle.error(shown, "is no regular file")
    }
    // Refused before any of it is held in memory.
    if status.st_size > limit { throw Bundle.error(shown, "has more than \(limit) bytes") }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let n = Glibc.read(fd, &buffer, buffer.count)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw Bundle.error(shown, "cannot be read: \(reason())") }
      if n == 0 { return text }
      text.append(contentsOf: buffer[..<n])
      if text.count > limit { throw Bundle.error(shown, "has more than \(limit) bytes") }
    }
  }

  static func reason() -> String { String(cString: strerror(errno)) }
}
