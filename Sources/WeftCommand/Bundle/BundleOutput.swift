import Glibc
import WeftIO

/// Files that the subcommands of `weft bundle` write. A file is there whole or not at all, whatever happens meanwhile.
package enum BundleOutput {
  /// What stands in the way, and what to do about it.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Makes a folder that is not there yet.
  static func makeFolder(_ path: String) throws {
    if mkdir(path, 0o777) == 0 { return }
    if errno == EEXIST { throw Failure(description: "\(path) is there already; choose another name, or delete it") }
    throw SystemError(operation: "make the folder \(path)", errno: errno)
  }

  /// Writes `bytes` to `path`, in place of what is there, making the folder above it where there is none.
  package static func write(_ bytes: [UInt8], to path: String) throws {
    try makeFolder(above: path)
    let temporary = "\(path).\(getpid()).tmp"
    try create(temporary, mode: 0o666) { try writeAll(bytes, to: $0, path) }
    if rename(temporary, path) != 0 {
      let code = errno
      unlink(temporary)
      throw SystemError(operation: "write \(path)", errno: code)
    }
  }

  private static func makeFolder(above path: String) throws {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
    let folder = String(path[..<slash])
    if mkdir(folder, 0o777) != 0 && errno != EEXIST {
      throw SystemError(operation: "make the folder \(folder)", errno: errno)
    }
  }

  /// Makes a file that is not there yet; only its owner can read it.
  package static func writeSecret(to path: String, _ bytes: UnsafeRawBufferPointer) throws {
    try makeFolder(above: path)
    try create(path, mode: 0o600) { fd in
      // The mode that the file was made with could have been widened by an access list of the folder.
      if fchmod(fd, 0o600) != 0 { throw SystemError(operation: "protect \(path)", errno: errno) }
      try writeAll(bytes, to: fd, path)
    }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// A small file, such as a key.
  package static func read(_ path: String) throws -> [UInt8] {
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if fd < 0 { throw SystemError(operation: "open \(path)", errno: errno) }
    defer { close(fd) }
    var bytes = [UInt8](repeating: 0, count: (64 << 10) + 1)
    var count = 0
    while count < bytes.count {
      let n = bytes.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress.map { $0 + count }, $0.count - count) }
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw SystemError(operation: "read \(path)", errno: errno) }
      if n == 0 { return Array(bytes[..<count]) }
      count += n
    }
    throw Failure(description: "\(path) has more than \(64 << 10) bytes; is it a key?")
  }

  private static func create(_ path: String, mode: mode_t, _ body: (Int32) throws -> Void) throws {
    let fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    if fd < 0 {
      if errno == EEXIST { throw Failure(description: "\(path) is there already; choose another name, or delete it") }
      throw SystemError(operation: "write \(path)", errno: errno)
    }
    do {
      try body(fd)
      if fsync(fd) != 0 { throw SystemError(operation: "write \(path)", errno: errno) }
      close(fd)
    } catch {
      close(fd)
      unlink(path)
      throw error
    }
  }

  private static func writeAll(_ bytes: [UInt8], to fd: Int32, _ path: String) throws {
    try bytes.withUnsafeBytes { try writeAll($0, to: fd, path) }
  }

  private static func writeAll(_ bytes: UnsafeRawBufferPointer, to fd: Int32, _ path: String) throws {
    var at = 0
    while at < bytes.count {
      let n = Glibc.write(fd, bytes.baseAddress.map { $0 + at }, bytes.count - at)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw SystemError(operation: "write \(path)", errno: errno) }
      at += n
    }
  }
}
