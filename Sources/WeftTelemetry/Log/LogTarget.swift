import Glibc
import WeftIO

/// Where log lines go.
public enum LogTarget: Hashable, Sendable, CustomStringConvertible {
  case stdout
  case stderr
  /// A file, appended to and made with mode 0640; or a named pipe that has a reader.
  case file(String)

  public var description: String {
    switch self {
    case .stdout: "stdout"
    case .stderr: "stderr"
    case .file(let path): path
    }
  }

  /// A descriptor to write to.
  /// - Throws: `SystemError` for a file that cannot be opened.
  func open() throws(SystemError) -> Int32 {
    switch self {
    case .stdout: return STDOUT_FILENO
    case .stderr: return STDERR_FILENO
    case .file(let path):
      // Non-blocking: a named pipe without a reader is refused instead of holding the caller.
      let fd = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o640)
      if fd < 0 { throw SystemError(operation: "open \(path)", errno: errno) }
      return fd
    }
  }

  func close(_ fd: Int32) {
    if case .file = self { _ = Glibc.close(fd) }
  }
}

/// A descriptor that a log is written to without waiting for it.
struct LogDescriptor {
  let fd: Int32
  /// A write may block (pipe, terminal, socket): ask before, and write pieces that then fit.
  let mayBlock: Bool

  init(fd: Int32) {
    self.fd = fd
    var status = stat()
    if fstat(fd, &status) != 0 {
      mayBlock = true
      return
    }
    let kind = status.st_mode & S_IFMT
    mayBlock = !(kind == S_IFREG || (kind == S_IFCHR && isatty(fd) == 0))
  }

  /// A pipe that polls as writable takes this much without blocking, and in one piece (pipe(7), PIPE_BUF).
  static let piece = 4096

  enum Outcome: Equatable {
    case wrote(Int)
    case full
    case failed(Int32)
  }

  /// Writes a first part of `count` bytes: whole lines where a piece is to be cut.
  func write(_ bytes: BytePointer, _ count: Int) -> Outcome {
    var count = count
    if mayBlock {
      var wait = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
      let ready = poll(&wait, 1, 0)
      if ready < 0 && errno != EINTR { return .failed(errno) }
      if ready <= 0 { return .full }
      if count > LogDescriptor.piece {
        count = LogDescriptor.piece
        while count > 1 && bytes[count &- 1] != 0x0a { count &-= 1 }
        // A line longer than a piece goes out in several.
        if bytes[count &- 1] != 0x0a { count = LogDescriptor.piece }
      }
    }
    while true {
      let n = Glibc.write(fd, bytes, count)
      if n >= 0 { return .wrote(n) }
      let error = errno
      if error == EINTR { continue }
      return error == EAGAIN ? .full : .failed(error)
    }
  }
}
