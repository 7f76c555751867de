import Glibc

/// A program that was started, with its output in files.
final class ChildProcess: @unchecked Sendable {
  enum End: Equatable, Sendable {
    case exited(Int32)
    case killed(Int32)
  }

  let pid: pid_t
  let outputPath: String
  let errorPath: String
  private let ended = Locked<End?>(nil)

  /// - Parameters:
  ///   - program: a path, or a name to look up in PATH.
  ///   - descriptorLimit: how many descriptors it may have; as many as we when not given.
  init(
    _ program: String, _ arguments: [String], in folder: TemporaryFolder, name: String,
    environment: [String: String] = [:], descriptorLimit: Int? = nil
  ) throws {
    outputPath = folder.path(name + ".out")
    errorPath = folder.path(name + ".err")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    // Libraries in the test process open descriptors that would be the child's as well, and count among its own.
    for descriptor in listFolder("/proc/self/fd").compactMap({ Int32($0) }) where descriptor > 2 {
      let flags = fcntl(descriptor, F_GETFD)
      if flags >= 0, flags & FD_CLOEXEC == 0 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The test runner's signal mask is no business of the program's.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    var command = [program] + arguments
    if let descriptorLimit { command = ["sh", "-c", "ulimit -n \(descriptorLimit); exec \"$0\" \"$@\""] + command }
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    variables.merge(environment) { $1 }
    let argv = command.map { strdup($0) } + [nil]
    let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var pid: pid_t = 0
    let error = posix_spawnp(&pid, command[0], &actions, &attributes, argv, envp)
    if error != 0 { throw SocketFault.failed("start \(command[0])", error) }
    self.pid = pid
  }

  deinit {
    if end == nil {
      kill(pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
  }

  /// How it ended; nil while it runs.
  var end: End? {
    ended.withLock { ended in
      if ended != nil { return ended }
      var status: Int32 = 0
      if waitpid(pid, &status, WNOHANG) != pid { return nil }
      ended = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(status & 0x7f)
      return ended
    }
  }

  func waitForEnd(within seconds: Double = 60) throws -> End {
    try eventually("the end of process \(pid)", within: seconds) { end }
  }

  func signal(_ number: Int32) { if end == nil { kill(pid, number) } }

  var output: String { readFile(outputPath) ?? "" }
  var errorOutput: String { readFile(errorPath) ?? "" }

  /// A number of /proc/PID/status, such as RssAnon in kilobytes.
  func status(_ field: String) -> Int? {
    guard let text = readFile("/proc/\(pid)/status") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(field + ":") {
      return Int(line.dropFirst(field.count + 1).filter(\.isNumber))
    }
    return nil
  }

  /// Kilobytes of memory that it has taken: not the program's code and constants, of which the kernel maps more or fewer.
  /// Always 0 under a sanitizer, whose own memory hides the program's.
  var memory: Int { Sanitizer.isOn ? 0 : status("RssAnon") ?? 0 }

  /// How many descriptors are open.
  var descriptorCount: Int { listFolder("/proc/\(pid)/fd").count }
}

/// What a program that has ended printed.
struct ToolResult: Sendable {
  let code: Int32
  let output: String
  let errorOutput: String
}

/// Other programs that tests use.
enum Tool {
  /// Runs a program to its end.
  static func run(_ program: String, _ arguments: [String], within seconds: Double = 60) throws -> ToolResult {
    let folder = try TemporaryFolder()
    let process: ChildProcess
    do {
      process = try ChildProcess(program, arguments, in: folder, name: "tool")
    } catch {
      throw MissingTool(program: program)
    }
    let end = try process.waitForEnd(within: seconds)
    guard case .exited(let code) = end else { throw MalformedMessage("\(program) was ended by a signal: \(end)") }
    if code == 127 { throw MissingTool(program: program) }
    return ToolResult(code: code, output: process.output, errorOutput: process.errorOutput)
  }
}

/// A program that tests need is not there.
struct MissingTool: Error, CustomStringConvertible {
  let program: String
  var description: String { "\(program) is missing; \"make deps\" installs what the tests need" }
}
