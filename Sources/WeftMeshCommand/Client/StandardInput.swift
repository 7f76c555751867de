import Glibc
import WeftConfig
import WeftIO

/// What is piped into a command.
enum StandardInput {
  static func read() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= ConfigDocuments.Limits.bytes {
      let n = Glibc.read(0, &chunk, chunk.count)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw SystemError(operation: "read standard input", errno: errno) }
      if n == 0 { break }
      bytes += chunk[..<n]
    }
    return bytes
  }
}
