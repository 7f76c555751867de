import ArgumentParser
import Glibc
import WeftFilterTest

/// What commands write.
enum Output {
  /// Writes at once, so that progress is seen as it is made.
  static func write(_ text: String, to fd: Int32 = 1) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { return }
      rest = rest.dropFirst(n)
    }
  }

  /// Writes a file, or says why not and ends with exit code 1.
  static func save(_ text: String, to path: String) throws {
    try orExit { try FileText.write(text, to: path) }
  }

  /// Does something; says what is wrong with the input and ends with exit code 1 if it fails.
  static func orExit<R>(_ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch let error as ValidationError {
      throw error
    } catch {
      write("\(error)\n", to: 2)
      throw ExitCode(1)
    }
  }
}
