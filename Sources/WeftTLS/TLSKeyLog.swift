import COpenSSL
import Glibc
import Synchronization
import WeftIO

/// Writes the secrets of every connection to a file (the NSS key log format), so that Wireshark can read what was sent.
/// For debugging only: whoever has the file reads the traffic. Off unless enabled, for the whole process.
public enum TLSKeyLog {
  private static let descriptor = Atomic<Int32>(-1)

  public static var isEnabled: Bool { descriptor.load(ordering: .relaxed) >= 0 }

  /// Contexts made from here on write to `path`, which is created for its owner alone. The caller says so loudly.
  public static func enable(path: String) throws(SystemError) {
    let fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    if fd < 0 { throw SystemError(operation: "open the key log \(path)", errno: errno) }
    let old = descriptor.exchange(fd, ordering: .relaxed)
    if old >= 0 { close(old) }
  }

  static func install(in context: OpaquePointer) {
    if !isEnabled { return }
    SSL_CTX_set_keylog_callback(context) { _, line in
      guard let line else { return }
      // One write a line, so that lines of several threads do not mix.
      var bytes = Array(UnsafeRawBufferPointer(start: line, count: strlen(line)))
      bytes.append(UInt8(ascii: "\n"))
      _ = write(TLSKeyLog.descriptor.load(ordering: .relaxed), bytes, bytes.count)
    }
  }
}
