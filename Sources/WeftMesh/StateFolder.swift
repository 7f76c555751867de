import Foundation
import Glibc

/// The files that a proxy keeps between runs, readable by its user alone.
struct StateFolder: Sendable {
  let path: String

  /// Bytes of one file.
  private static let fileLimit = 512 << 20

  /// Makes the folder if there is none.
  init(_ path: String) throws(MeshError) {
    self.path = path
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw MeshError(
        "the state folder \(path) cannot be made: \(error.localizedDescription); name another with --state")
    }
    if access(path, R_OK | W_OK | X_OK) != 0 {
      throw MeshError(
        "the state folder \(path) cannot be written to: \(String(cString: strerror(errno))); name another with --state")
    }
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// nil when there is none.
  func read(_ name: String) throws(MeshError) -> [UInt8]? {
    let place = file(name)
    let descriptor = open(place, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
      if errno == ENOENT { return nil }
      throw MeshError("\(place) cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw MeshError("\(place) cannot be read: \(String(cString: strerror(errno)))")
      }
      if count == 0 { return content }
      content.append(contentsOf: chunk[..<count])
      if content.count > Self.fileLimit { throw MeshError("\(place) has more than \(Self.fileLimit) bytes") }
    }
  }

  func remove(_ name: String) { unlink(file(name)) }

  /// Replaces a file as a whole: a crash leaves the old one or the new one.
  func write(_ name: String, _ content: [UInt8]) throws(MeshError) {
    let place = file(name)
    let temporary = "\(place).new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    func failure() -> MeshError { MeshError("\(place) cannot be written: \(String(cString: strerror(errno)))") }
    if descriptor < 0 { throw failure() }
    var written = 0
    while written < content.count {
      let count = content[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        let error = failure()
        close(descriptor)
        throw error
      }
      written += count
    }
    let synced = fsync(descriptor)
    if close(descriptor) != 0 || synced != 0 || rename(temporary, place) != 0 { throw failure() }
    // The name's own entry; without it a power cut may bring the old file back, which is no harm.
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      _ = fsync(folder)
      close(folder)
    }
  }
}
