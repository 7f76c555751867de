import Glibc
import Testing

/// A running proxy: `weft run -f` on a folder of its own.
///
/// `stop()` ends it with SIGTERM and fails the test unless it exits with 0 in its drain time and has nothing critical
/// to say; a proxy that is let go without is killed, which leaves no process behind when a test throws.
final class WeftProcess: Sendable {
  let folder: TemporaryFolder
  let process: ChildProcess
  /// The admin endpoint's port.
  let admin: Int
  private let adminPort: ReservedPort
  private let isStopped = Locked(false)
  private let wasToldToEnd = Locked(false)
  private let location: SourceLocation

  struct NotReady: Error, CustomStringConvertible {
    let description: String
  }

  /// Starts a proxy and waits until it is ready.
  /// - Parameters:
  ///   - files: the configuration, by file name, under `config/` of the folder.
  ///   - arguments: further options of `weft run`; given whole when `files` is empty.
  convenience init(
    _ files: [String: String], _ arguments: [String] = [], workers: Int = 2, folder: TemporaryFolder? = nil,
    descriptorLimit: Int? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let folder = try folder ?? TemporaryFolder()
    for (name, text) in files { try folder.write("config/" + name, text) }
    let source = files.isEmpty ? [] : ["-f", folder.path("config")]
    try self.init(
      command: ["run"] + source + arguments, workers: workers, folder: folder, descriptorLimit: descriptorLimit,
      sourceLocation: sourceLocation)
  }

  /// Starts a proxy by another command, such as `sidecar`.
  /// - Parameters:
  ///   - name: of the files with its output.
  ///   - isAwaited: until it is ready; otherwise it may still have to wait for a configuration.
  init(
    command: [String], workers: Int = 1, folder: TemporaryFolder, name: String = "weft", isAwaited: Bool = true,
    environment: [String: String] = [:], descriptorLimit: Int? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    location = sourceLocation
    self.folder = folder
    adminPort = try ReservedPort()
    admin = adminPort.number
    process = try ChildProcess(
      WeftBinary.path,
      command + ["--admin", "127.0.0.1:\(admin)", "--workers", String(workers), "--log-level", "debug"],
      in: folder, name: name, environment: environment, descriptorLimit: descriptorLimit)
    if !isAwaited { return }
    do {
      try eventually("the proxy to be ready") {
        if let end = process.end { throw NotReady(description: "weft ended at once, \(end): \(process.errorOutput)") }
        return (try? get("/readyz"))?.status == 200
      }
    } catch {
      throw NotReady(description: "\(error)\n\(process.errorOutput)")
    }
  }

  /// The process log so far.
  var log: String { process.errorOutput }

  // MARK: Admin endpoint

  func admin(_ method: String, _ target: String) throws -> HTTPMessage {
    let client = try RawClient(admin)
    try client.send("\(method) \(target) HTTP/1.1\r\nhost: admin\r\n\r\n")
    return try client.response(to: method)
  }

  func get(_ target: String) throws -> HTTPMessage { try admin("GET", target) }

  /// The sum of a metric over all its series whose labels hold all of `labels`, such as `service="a"`.
  func metric(_ name: String, _ labels: String...) throws -> Double {
    var sum = 0.0
    for line in try get("/metrics").text.split(separator: "\n") where !line.hasPrefix("#") {
      let series = line.prefix { $0 != " " }
      guard series.prefix(while: { $0 != "{" }) == name, labels.allSatisfy({ series.contains($0) }) else { continue }
      sum += Double(line[line.index(after: series.endIndex)...].prefix { $0 != " " }) ?? .nan
    }
    return sum
  }

  // MARK: Configuration

  /// The number of the configuration that all workers run; nil while they do not agree.
  func appliedVersion() throws -> Int? {
    let config = try JSONValue(get("/config").text)
    let version = config["version"].int
    return config["workers"].list.allSatisfy { $0["version"].int == version } ? version : nil
  }

  /// Does something that makes the proxy reload, and waits until all workers run what it led to.
  func reloaded(_ change: () throws -> Void) throws {
    let before = try eventually("workers that agree") { try appliedVersion() }
    try change()
    try eventually("the new configuration to be applied") { try appliedVersion() ?? 0 > before }
  }

  // MARK: The end

  /// Ends the proxy as an operator does, and checks how it goes.
  func stop(within seconds: Double = 20, sourceLocation: SourceLocation = #_sourceLocation) {
    let isFirst = isStopped.withLock { stopped in
      defer { stopped = true }
      return !stopped
    }
    if !isFirst { return }
    if let end = process.end {
      if !wasToldToEnd.current {
        Issue.record("the proxy ended by itself, \(end):\n\(tail)", sourceLocation: sourceLocation)
      }
      return checkLog(sourceLocation)
    }
    process.signal(SIGTERM)
    do {
      let end = try process.waitForEnd(within: seconds)
      if end != .exited(0) { Issue.record("the proxy ended with \(end):\n\(tail)", sourceLocation: sourceLocation) }
    } catch {
      Issue.record("SIGTERM did not end the proxy: \(error)\n\(tail)", sourceLocation: sourceLocation)
      process.signal(SIGKILL)
    }
    checkLog(sourceLocation)
  }

  /// Tells the proxy to end.
  func signal(_ number: Int32) {
    wasToldToEnd.withLock { $0 = $0 || number != SIGHUP }
    process.signal(number)
  }

  /// Waits for the end of a proxy that was told to end.
  func waitForEnd() throws -> ChildProcess.End {
    wasToldToEnd.withLock { $0 = true }
    return try process.waitForEnd()
  }

  private func checkLog(_ sourceLocation: SourceLocation) {
    for line in log.split(separator: "\n") {
      let isBad =
        line.lowercased().contains("critical") || line.contains("Fatal error") || line.contains("Sanitizer")
      if isBad { Issue.record("the proxy's log says: \(line)\n\(tail)", sourceLocation: sourceLocation) }
    }
  }

  private var tail: String { String(log.suffix(6000)) }
}
