import CLinux
import Foundation
import Logging
import Synchronization
import Testing
import WeftIO

@testable import WeftTelemetry

private let patience: UInt64 = 20_000_000_000

@Suite struct ProcessLogTests {
  func rendered(
    _ format: ProcessLog.Format, _ message: String, _ metadata: [(String, Logger.MetadataValue)] = [],
    level: Logger.Level = .info, colour: Bool = false
  ) -> String {
    let line = ProcessLogLine(
      time: Sample.start, level: level, label: "config", message: message,
      metadata: metadata.map { (key: $0.0, value: $0.1) })
    let memory = MutableBytePointer.allocate(capacity: 1 << 16)
    defer { memory.deallocate() }
    var out = ByteWriter(memory, 1 << 16)
    line.append(to: &out, format, colour: colour)
    return out.overflow ? "overflow" : out.bytes.string
  }

  @Test func textIsAligned() {
    #expect(rendered(.text, "loaded") == "2026-11-23T06:08:40.765Z INFO   config     loaded\n")
    #expect(
      rendered(.text, "bad", [("file", "a b.yaml"), ("line", "14"), ("empty", "")], level: .warning)
        == "2026-11-23T06:08:40.765Z WARN   config     bad file=\"a b.yaml\" line=14 empty=\"\"\n")
    #expect(
      rendered(.text, "x", [("m", .dictionary(["a": .array(["1", "2"])]))], level: .critical)
        == "2026-11-23T06:08:40.765Z CRIT   config     x m={\"a\":[\"1\",\"2\"]}\n")
  }

  @Test func colourIsForTheLevelAndKeys() {
    #expect(
      rendered(.text, "x", [("k", "v")], level: .error, colour: true)
        == "2026-11-23T06:08:40.765Z \u{1b}[31mERROR \u{1b}[0m config     x \u{1b}[2mk=\u{1b}[0mv\n")
  }

  @Test func jsonHoldsTheSame() throws {
    let line = rendered(.json, "a \"b\"\nc", [("k", "v\u{0}"), ("d", .dictionary(["x": .array(["1"])]))])
    #expect(
      line == #"""
        {"time":"2026-11-23T06:08:40.765Z","level":"info","logger":"config","message":"a \"b\"\nc",\#
        "metadata":{"k":"v\u0000","d":{"x":["1"]}}}

        """#)
    #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any])
  }

  @Test func aMessageCannotForgeALine() {
    #expect(
      rendered(.text, "a\n2026 INFO fake\u{1b}[2J\r\u{85}\u{202e}é")
        == "2026-11-23T06:08:40.765Z INFO   config     a\n    2026 INFO fake\\u{1b}[2J\\u{d}\\u{85}\\u{202e}é\n")
    #expect(
      rendered(.text, "a", [("k", "v\nw=\"")])
        == "2026-11-23T06:08:40.765Z INFO   config     a k=\"v\\nw=\\\"\"\n")
  }

  @Test func deepMetadataEnds() {
    var value = Logger.MetadataValue.string("x")
    for _ in 0..<20 { value = .array([value]) }
    #expect(rendered(.json, "m", [("k", value)]).hasSuffix("[[[[[[[[\"...\"]]]]]]]]}}\n"))
  }

  // MARK: Through swift-log

  /// A log that writes into a file, and what it wrote.
  func withLog(
    _ format: ProcessLog.Format = .text, level: Logger.Level = .info, _ body: (ProcessLog) throws -> Void
  ) throws -> [String] {
    let folder = try TemporaryFolder()
    let fd = open(folder.path + "/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer { close(fd) }
    try body(ProcessLog(format: format, level: level, fd: fd, sink: nil, colour: false))
    return try folder.read("log").split(separator: "\n").map {
      $0.hasPrefix("20") ? String($0.dropFirst(25)) : String($0)
    }
  }

  @Test func metadataIsMergedAndSorted() throws {
    struct Broken: Error {}
    let lines = try withLog { log in
      var logger = log.logger("a")
      logger[metadataKey: "z"] = "own"
      logger[metadataKey: "b"] = "own"
      logger.info("m", metadata: ["b": "event"])
      logger.error("failed", error: Broken())
    }
    #expect(
      lines == ["INFO   a          m b=event z=own", "ERROR  a          failed b=own error=Broken() z=own"])
  }

  @Test func theLevelChangesForEveryLogger() throws {
    let lines = try withLog(level: .warning) { log in
      let a = log.logger("a")
      var b = log.logger("b")
      a.info("no")
      log.level = .debug
      a.debug("yes")
      b.logLevel = .error
      b.warning("no")
      log.level = .critical
      a.error("no")
      b.error("yes")
      #expect(log.level == .critical)
    }
    #expect(lines == ["DEBUG  a          yes", "ERROR  b          yes"])
  }

  @Test func aHugeMessageIsCut() throws {
    for format in ProcessLog.Format.allCases {
      for piece in ["x", "\u{1}", "\n", "é", "\""] {
        let lines = try withLog(format) { log in
          log.logger("a").info("\(String(repeating: piece, count: 100_000))", metadata: ["k": "v"])
          log.logger("a").info("next")
        }
        #expect(lines.last?.contains("next") == true)
        #expect(lines.contains { $0.contains("truncated") })
        #expect(lines.reduce(0) { $0 + $1.utf8.count } < LogChunk.capacity)
      }
    }
  }

  /// A worker's lines go through the queue; a reader that stands still does not hold it.
  @Test func workersNeverWait() throws {
    let folder = try TemporaryFolder()
    let writer = try LogWriter()
    let pipe = try SlowPipe(in: folder)
    let sink = try writer.sink(.file(pipe.path), kind: .process)
    let log = ProcessLog(format: .text, level: .info, fd: -1, sink: sink, colour: false)
    let done = Atomic(false)
    let total = 8000
    Thread {
      ProcessLog.enterWorker()
      let logger = log.logger("worker")
      let filler = String(repeating: "x", count: 1000)
      for i in 0..<total { logger.info("\(i) \(filler)") }
      done.store(true, ordering: .releasing)
    }.start()
    let deadline = MonotonicTime.nanoseconds() + patience
    while !done.load(ordering: .acquiring), MonotonicTime.nanoseconds() < deadline { sched_yield() }
    let ended = done.load(ordering: .acquiring)
    #expect(ended)
    let lost = sink.counts.queueFull
    #expect(lost > 0)
    let kept = total - Int(lost)
    let read = pipe.read(lines: kept)
    #expect(String(decoding: read, as: UTF8.self).split(separator: "\n").allSatisfy { $0.hasSuffix("x") })
    #expect(writer.flush(timeout: patience))
    #expect(sink.counts == LogCounts(written: UInt64(kept), queueFull: lost))
  }
}

@Suite struct RateLimitedLogTests {
  final class Clock: Sendable {
    let time = Atomic<UInt64>(0)
    func advance(_ nanoseconds: UInt64) { time.add(nanoseconds, ordering: .relaxed) }
  }

  /// Keeps what was logged.
  final class Memory: Sendable {
    let lines = Locked<[String]>([])
  }

  struct Handler: LogHandler {
    let memory: Memory
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.info
    subscript(metadataKey key: String) -> Logger.MetadataValue? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      let suppressed = event.metadata?["suppressed"].map { " +\($0)" } ?? ""
      memory.lines.withLock { $0.append("\(event.message)\(suppressed)") }
    }
  }

  @Test func repeatedMessagesAreCounted() {
    let memory = Memory()
    let clock = Clock()
    let limited = RateLimitedLog(
      Logger(label: "t") { _ in Handler(memory: memory) }, period: 1000, burst: 2,
      now: { clock.time.load(ordering: .relaxed) })
    var built = 0
    func noise(_ i: Int, key: String = "") {
      func text() -> Logger.Message {
        built += 1
        return "noise \(i)"
      }
      limited.log(.warning, text(), key: key)
    }
    for i in 0..<10 { noise(i) }
    #expect(built == 2)
    limited.log(.warning, "another")
    noise(10, key: "b")
    clock.advance(999)
    noise(11)
    clock.advance(1)
    noise(12)
    noise(13)
    noise(14)
    limited.log(.debug, "below the level")
    #expect(memory.lines.withLock { $0 } == ["noise 0", "noise 1", "another", "noise 10", "noise 12 +9", "noise 13"])
  }

  @Test func keysAreBounded() {
    let memory = Memory()
    let limited = RateLimitedLog(Logger(label: "t") { _ in Handler(memory: memory) }, burst: 1, now: { 0 })
    for i in 0..<10_000 { limited.log(.info, "m", key: "\(i)") }
    #expect(memory.lines.withLock { $0.count } == 10_000)
    #expect(limited.entryCount == RateLimitedLog.maxEntries)
  }
}
