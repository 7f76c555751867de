import Glibc

/// Where the binary under test is: WEFT_BINARY, or beside this test bundle, where the build puts both.
enum WeftBinary {
  static let path: String = {
    if let path = getenv("WEFT_BINARY") { return String(cString: path) }
    var buffer = [CChar](repeating: 0, count: 4096)
    let n = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let own = String(decoding: buffer.prefix(max(n, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let folder = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? "."
    return folder + "/weft"
  }()

  /// Runs a subcommand to its end.
  static func run(_ arguments: String...) throws -> ToolResult { try Tool.run(path, arguments) }
}

/// What scripts/sanitized.sh says about the binary under test.
enum Sanitizer {
  /// It is slow, and its memory is not its own alone.
  static let isOn = getenv("WEFT_SANITIZER") != nil
  static let isOfThreads = getenv("WEFT_SANITIZER").map { String(cString: $0) } == "thread"
}
