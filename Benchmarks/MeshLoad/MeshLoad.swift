import ArgumentParser
import Foundation
import NIOPosix

/// Proxies without a data path: each one joins, holds a discovery stream on a connection of its own, subscribes as a
/// sidecar does, and acknowledges what it is sent. Benchmarks/scale.py starts it, and tells it by lines what to do.
@main
struct MeshLoad: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mesh-load", abstract: "Hold the discovery streams of many sidecars.",
    discussion: """
      Reads join tokens, each a line SERVICE TOKEN. Connects all proxies, prints {"ready": ...}, and then takes commands \
      from the standard input, each a line, each answered by one line of JSON:
        collect KIND COUNT SECONDS   lags of COUNT changes of that kind (route, workload, bundle), in microseconds
        change RATE SECONDS          so many reports of workloads a second, of proxies at random
        quit

      Example:
        mesh-load --port 15081 --tokens tokens.txt --proxies 100 --services 10
      """)

  @Option(help: "Port of discovery at 127.0.0.1.") var port: Int
  @Option(help: "File of join tokens.") var tokens: String
  @Option(help: "How many proxies.") var proxies: Int
  @Option(help: "Number of the first one.") var first = 0
  @Option(help: "Services in the mesh, svc-0 and so on.") var services: Int
  @Option(help: "Services that a proxy calls besides svc-0, which all call.") var calls = 4
  @Option(help: "Proxies that connect at a time.") var atOnce = 32
  @Option(help: "Seconds between reports of telemetry; 0: none.") var telemetry = 10

  func validate() throws {
    guard (1...10_000).contains(proxies), (1...100_000).contains(services), (0...100).contains(calls),
      (1...1_000).contains(atOnce), (0...3_600).contains(telemetry), (0...1_000_000).contains(first)
    else { throw ValidationError("--proxies takes 1 to 10,000, --services 1 to 100,000, --calls 0 to 100") }
  }

  func run() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let recorder = Recorder()
    let tokens = try readTokens()
    let start = Clock.nanoseconds
    let identities = try await Joining(port: port, group: group).identities(
      numbers: first..<first + proxies, tokens: tokens, services: services, atOnce: atOnce)
    let joined = Clock.nanoseconds
    let all = identities.map { number, identity in
      LoadedProxy(
        number: number, identity: identity, port: port, plan: Plan(number: number, services: services, calls: calls),
        group: group, recorder: recorder)
    }
    try await connect(all)
    reply([
      "ready": all.count, "join_seconds": Clock.seconds(joined - start),
      "connect_seconds": Clock.seconds(Clock.nanoseconds - joined),
      "subscriptions": all.reduce(0) { $0 + $1.plan.subscriptions.reduce(0) { $0 + $1.names.count } },
    ])
    if telemetry > 0 { Task { await report(all) } }
    for await line in Self.lines() { if try await !obey(line, all, recorder) { break } }
    for proxy in all { proxy.leave() }
  }

  private func readTokens() throws -> [String: String] {
    var found: [String: String] = [:]
    for line in try String(contentsOfFile: tokens, encoding: .utf8).split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      if words.count == 2 { found[words[0]] = words[1] }
    }
    return found
  }

  /// Some at a time, until each has been answered everything that it asks for.
  private func connect(_ all: [LoadedProxy]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      var next = 0
      while next < min(atOnce, all.count) {
        let proxy = all[next]
        group.addTask { try await proxy.start() }
        next += 1
      }
      while try await group.next() != nil {
        guard next < all.count else { continue }
        let proxy = all[next]
        group.addTask { try await proxy.start() }
        next += 1
      }
    }
  }

  /// Telemetry of all, spread over the interval.
  private func report(_ all: [LoadedProxy]) async {
    let pause = Duration.seconds(telemetry) / max(all.count, 1)
    while true {
      for proxy in all {
        proxy.reportTelemetry(interval: UInt32(telemetry) * 1_000)
        try? await Task.sleep(for: pause)
      }
    }
  }

  private func obey(_ line: String, _ all: [LoadedProxy], _ recorder: Recorder) async throws -> Bool {
    let words = line.split(separator: " ").map(String.init)
    switch words.first {
    case "collect":
      guard words.count == 4, let count = Int(words[2]), let seconds = Double(words[3]) else {
        throw ValidationError("collect KIND COUNT SECONDS")
      }
      let lags = await recorder.collect(words[1], count, within: seconds)
      reply(["kind": words[1], "lags": lags, "lost": all.count { !$0.isConnected }])
    case "change":
      guard words.count == 3, let rate = Double(words[1]), let seconds = Double(words[2]), rate > 0 else {
        throw ValidationError("change RATE SECONDS")
      }
      let start = ContinuousClock.now
      var sent = 0
      while start + .seconds(Double(sent) / rate) < start + .seconds(seconds) {
        try await Task.sleep(until: start + .seconds(Double(sent) / rate), clock: .continuous)
        all.randomElement()?.changeWorkload()
        sent += 1
      }
      reply(["changes": sent, "seconds": Clock.seconds(start)])
    case "quit": return false
    default: throw ValidationError("no command \"\(line)\"")
    }
    return true
  }

  private func reply(_ values: [String: Any]) {
    guard let data = try? JSONSerialization.data(withJSONObject: values, options: .sortedKeys) else { return }
    FileHandle.standardOutput.write(data + Data("\n".utf8))
  }

  /// The standard input, read by a thread, for reading waits.
  private static func lines() -> AsyncStream<String> {
    let (lines, continuation) = AsyncStream<String>.makeStream()
    Thread.detachNewThread {
      while let line = readLine() { continuation.yield(line) }
      continuation.finish()
    }
    return lines
  }
}

/// The monotonic clock, which all processes of a machine share.
enum Clock {
  static var nanoseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  static func seconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e9 }

  static func seconds(_ start: ContinuousClock.Instant) -> Double {
    let passed = start.duration(to: .now).components
    return Double(passed.seconds) + Double(passed.attoseconds) / 1e18
  }
}
