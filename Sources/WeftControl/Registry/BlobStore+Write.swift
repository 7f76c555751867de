import Foundation

extension BlobStore {
  /// Writes an archive under its digest. It is there whole or not at all, and survives a crash once this returns.
  func write(_ archive: [UInt8], digest: String) throws(Failure) {
    guard let path = path(of: digest) else { throw .missing(String(digest.prefix(100))) }
    // One that is damaged is mended.
    if (try? read(digest)) != nil { return }
    try put(archive, at: path)
  }

  /// The same, in place of what lies there, damaged perhaps.
  func replace(_ archive: [UInt8], digest: String) throws(Failure) {
    guard let path = path(of: digest) else { throw .missing(String(digest.prefix(100))) }
    try put(archive, at: path)
  }

  /// Writes what stands in a bundle's file of signatures.
  func write(signatures: [UInt8], digest: String) throws(Failure) {
    guard let path = path(of: digest) else { throw .missing(String(digest.prefix(100))) }
    try put(signatures, at: path + ".sig")
  }

  /// The digests of all archives, each with the seconds since it was written, and its size.
  func all() throws(Failure) -> [(digest: String, age: Double, bytes: Int)] {
    let place = "\(folder)/sha256"
    guard access(place, F_OK) == 0 else { return [] }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: place) } catch {
      throw .unreadable("cannot read \(place): \(error.localizedDescription)")
    }
    let now = Date().timeIntervalSince1970
    return names.compactMap { name in
      var status = stat()
      guard let path = path(of: "sha256:\(name)"), stat(path, &status) == 0 else { return nil }
      return ("sha256:\(name)", now - Double(status.st_mtim.tv_sec), Int(status.st_size))
    }
  }

  func remove(_ digest: String) throws(Failure) {
    guard let path = path(of: digest) else { return }
    for file in [path + ".sig", path] where unlink(file) != 0 && errno != ENOENT {
      throw .unreadable("cannot delete \(file): \(String(cString: strerror(errno)))")
    }
  }

  private func put(_ bytes: [UInt8], at path: String) throws(Failure) {
    let place = "\(folder)/sha256"
    do {
      try FileManager.default.createDirectory(
        atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .unreadable("cannot make the folder \(place): \(error.localizedDescription)")
    }
    let temporary = "\(path).\(UUID().uuidString).tmp"
    func fail(_ what: String) -> Failure {
      .unreadable("cannot \(what): \(String(cString: strerror(errno)))")
    }
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw fail("write \(temporary)") }
    var done = 0
    var problem: Failure?
    while done < bytes.count, problem == nil {
      let left = bytes.count - done
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, left)
      }
      if count < 0 && errno == EINTR { continue }
      if count < 0 { problem = fail("write \(temporary)") } else { done += count }
    }
    if problem == nil, fsync(descriptor) != 0 { problem = fail("write \(temporary)") }
    close(descriptor)
    if problem == nil, rename(temporary, path) != 0 { problem = fail("write \(path)") }
    if let problem {
      unlink(temporary)
      throw problem
    }
    // The name too.
    let folder = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      _ = fsync(folder)
      close(folder)
    }
  }
}
