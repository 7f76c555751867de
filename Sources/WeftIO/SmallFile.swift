import Glibc

/// Whole files that are small: certificates, keys, lists.
public enum SmallFile {
  /// The content of a regular file.
  /// - Parameter limit: bytes that it may have.
  /// - Throws: what the system says; EFBIG for a longer file, EINVAL for what is no file.
  public static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    // Without O_NONBLOCK opening a FIFO would wait for its other end.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 { throw SystemError(operation: "read \(path)", errno: errno) }
    defer { close(descriptor) }
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw SystemError(operation: "read \(path)", errno: errno) }
    if status.st_mode & S_IFMT != S_IFREG { throw SystemError(operation: "read \(path)", errno: EINVAL) }
    var content: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      let n = Glibc.read(descriptor, &piece, piece.count)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw SystemError(operation: "read \(path)", errno: errno) }
      if n == 0 { return content }
      if n > limit - content.count { throw SystemError(operation: "read \(path)", errno: EFBIG) }
      content += piece[..<n]
    }
  }
}
