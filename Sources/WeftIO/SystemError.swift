import Glibc

/// A system call that failed.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call, such as `bind`, with what it was applied to where that helps.
  public let operation: String
  public let errno: Int32

  public init(operation: String, errno: Int32) {
    self.operation = operation
    self.errno = errno
  }

  public var description: String { "\(operation): \(String(cString: strerror(errno)))" }
}
