import Glibc

/// Finds and reads configuration files.
enum ConfigFile {
  /// Whether a folder's entry is read: `*.yaml`, `*.yml` and `*.json`, and nothing hidden, so that the `..data` links
  /// of a mounted ConfigMap are followed through the visible names alone.
  static func isConfiguration(_ name: String) -> Bool {
    !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
  }

  enum Found {
    case file(String)
    case folder(String, names: [String])
    case failure(String)
  }

  /// What `path` is; a folder with its configuration files, sorted.
  static func find(_ path: String) -> Found {
    var status = stat()
    guard stat(path, &status) == 0 else { return .failure(message(errno)) }
    guard status.st_mode & S_IFMT == S_IFDIR else { return .file(path) }
    guard let folder = opendir(path) else { return .failure(message(errno)) }
    defer { closedir(folder) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(folder) else {
        if errno != 0 { return .failure(message(errno)) }
        return .folder(path, names: names.sorted())
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
          String(cString: $0)
        }
      }
      if isConfiguration(name) { names.append(name) }
    }
  }

  /// A file's device and inode: the same for every path that leads to it.
  struct Identity: Hashable {
    let device: dev_t
    let inode: ino_t
  }

  struct Failure: Error {
    let message: String
  }

  /// The content of a regular file, up to one byte more than may be read.
  static func read(_ path: String) throws(Failure) -> (content: [UInt8], identity: Identity) {
    // Without O_NONBLOCK, a named pipe would hold the process up until somebody writes to it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Failure(message: message(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure(message: message(errno)) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(message: "is no regular file") }
    let limit = ConfigDocuments.Limits.bytes + 1
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while content.count < limit {
      let count = Glibc.read(descriptor, &chunk, min(chunk.count, limit - content.count))
      if count < 0 {
        if errno == EINTR { continue }
        throw Failure(message: message(errno))
      }
      if count == 0 { break }
      content.append(contentsOf: chunk[..<count])
    }
    var after = stat()
    guard fstat(descriptor, &after) == 0 else { throw Failure(message: message(errno)) }
    let isSteady =
      after.st_size == status.st_size && after.st_mtim.tv_sec == status.st_mtim.tv_sec
      && after.st_mtim.tv_nsec == status.st_mtim.tv_nsec
    guard isSteady else { throw Failure(message: "was written to while it was read") }
    return (content, Identity(device: status.st_dev, inode: status.st_ino))
  }

  private static func message(_ code: Int32) -> String {
    "cannot be read: \(String(cString: strerror(code)))"
  }
}
