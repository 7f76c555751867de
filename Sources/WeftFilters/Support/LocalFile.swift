import Glibc
import WeftIO

/// Files that a configuration names, read when it is loaded.
enum LocalFile {
  /// `path`, taken as relative to the folder of the file that names it.
  static func path(_ path: String, besides file: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let slash = file.lastIndex(of: "/") else { return path }
    return String(file[...slash]) + path
  }

  /// The content of a regular file of at most `limit` bytes.
  static func read(_ path: String, limit: Int) throws(InvalidFilterValue) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 { throw InvalidFilterValue("cannot read \(path): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var status = stat()
    if fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG {
      throw InvalidFilterValue("\(path) is no file")
    }
    // One byte more than allowed, so that a file that grows meanwhile is noticed.
    var content = [UInt8](repeating: 0, count: limit + 1)
    var count = 0
    while count <= limit {
      let n = content.withUnsafeMutableBytes { buffer in
        Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, limit + 1 - count)
      }
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw InvalidFilterValue("cannot read \(path): \(String(cString: strerror(errno)))") }
      if n == 0 { return Array(content.prefix(count)) }
      count += n
    }
    throw InvalidFilterValue("\(path) is longer than \(limit) bytes")
  }
}
