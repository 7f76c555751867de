import Foundation
import WeftIdentity

/// The file with the key under which the authority's keys are sealed.
public enum KeyFile {
  /// Reads it.
  /// - Parameter isNew: whether to make it when it is missing: only while there is nothing that was sealed with it.
  /// - Throws: `IdentityError`, naming the file and the way out.
  public static func open(_ path: String, isNew: Bool) throws(IdentityError) -> SealingKey {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
      guard errno == ENOENT else { throw IdentityError("cannot read the key file \(path): \(reason)") }
      guard isNew else {
        throw IdentityError(
          "the key file \(path) is missing, and the certificate authority's key in the store cannot be read without it: put it back, or name it with --ca-key-file"
        )
      }
      return try create(path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw IdentityError("cannot read the key file \(path): \(reason)") }
    guard status.st_mode & 0o077 == 0 else {
      throw IdentityError("others can read the key file \(path); protect it with: chmod 600 \(path)")
    }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { throw IdentityError("cannot read the key file \(path): \(reason)") }
    do { return try SealingKey(text: String(decoding: bytes.prefix(count), as: UTF8.self)) } catch {
      throw IdentityError("\(path): \(error)")
    }
  }

  private static var reason: String { String(cString: strerror(errno)) }

  /// Made with O_EXCL, and on the disk before anything is sealed with it.
  private static func create(_ path: String) throws(IdentityError) -> SealingKey {
    let key = SealingKey()
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw IdentityError("cannot make the key file \(path): \(reason)") }
    defer { close(descriptor) }
    let text = Array((key.text + "\n").utf8)
    guard write(descriptor, text, text.count) == text.count, fsync(descriptor) == 0 else {
      let failure = reason
      unlink(path)
      throw IdentityError("cannot write the key file \(path): \(failure)")
    }
    return key
  }
}
