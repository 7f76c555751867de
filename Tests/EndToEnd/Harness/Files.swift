import Glibc

/// A folder of a test's own, deleted with everything in it, unless WEFT_KEEP_FILES is set, to look at what is left.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/weft-e2e-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SocketFault.failed("mkdtemp", errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { if getenv("WEFT_KEEP_FILES") == nil { removeTree(path) } }

  func path(_ name: String) -> String { path + "/" + name }

  /// Writes a file, in place, making its folder where it is missing.
  func write(_ name: String, _ text: String) throws {
    var folder = path
    for part in name.split(separator: "/").dropLast() {
      folder += "/" + part
      mkdir(folder, 0o700)
    }
    try writeFile(path(name), text)
  }
}

private func removeTree(_ path: String) {
  var info = stat()
  if lstat(path, &info) != 0 { return }
  if info.st_mode & S_IFMT == S_IFDIR {
    for name in listFolder(path) { removeTree(path + "/" + name) }
    rmdir(path)
  } else {
    unlink(path)
  }
}

func listFolder(_ path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names
}

/// Writes a file in place: truncates and writes, as `>` in a shell does.
func writeFile(_ path: String, _ text: String) throws {
  let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
  if fd < 0 { throw SocketFault.failed("open \(path)", errno) }
  defer { close(fd) }
  var bytes = Array(text.utf8)
  while !bytes.isEmpty {
    let n = write(fd, bytes, bytes.count)
    if n < 0 { throw SocketFault.failed("write \(path)", errno) }
    bytes.removeFirst(n)
  }
}

/// The text of a file; nil when there is none.
func readFile(_ path: String) -> String? {
  let fd = open(path, O_RDONLY | O_CLOEXEC)
  if fd < 0 { return nil }
  defer { close(fd) }
  var all: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 65_536)
  while true {
    let n = read(fd, &piece, piece.count)
    if n <= 0 { break }
    all += piece[..<n]
  }
  return String(decoding: all, as: UTF8.self)
}
