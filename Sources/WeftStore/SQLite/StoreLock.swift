import Foundation
import Synchronization

/// Keeps a second process away from a data folder. Given back when the process ends, however it ends.
final class StoreLock: Sendable {
  private let descriptor: Mutex<Int32>

  /// - Throws: `StoreError.unavailable` that names the process that holds it.
  init(_ path: String) throws(StoreError) {
    let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard fd >= 0 else {
      throw .unavailable("cannot open \(path): \(String(cString: strerror(errno))); check the folder's owner and mode")
    }
    guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
      var text = [UInt8](repeating: 0, count: 32)
      let count = max(0, read(fd, &text, text.count))
      close(fd)
      let holder = String(decoding: text.prefix(count), as: UTF8.self).filter(\.isNumber)
      throw .unavailable(
        "\(path) is held by another process\(holder.isEmpty ? "" : " (\(holder))"); stop it, or use another data folder"
      )
    }
    let text = Array("\(getpid())\n".utf8)
    if ftruncate(fd, 0) != 0 || write(fd, text, text.count) != text.count {
      // Only the message of another process would be poorer.
    }
    descriptor = Mutex(fd)
  }

  func release() {
    descriptor.withLock { fd in
      if fd >= 0 {
        // A child that is being started this very moment has the descriptor, too, until it runs its program: closing ours
        // alone would leave the lock to it.
        flock(fd, LOCK_UN)
        close(fd)
      }
      fd = -1
    }
  }

  deinit { release() }
}
