import CLinux
import Foundation
import Synchronization
import Testing
import WeftIO

@testable import WeftTelemetry

/// Long enough for any machine; only a failure waits for it.
private let patience: UInt64 = 120_000_000_000

/// A pipe whose reader decides when to read.
final class SlowPipe {
  let path: String
  private(set) var reader: Int32

  init(in folder: TemporaryFolder, name: String = "pipe") throws {
    path = folder.path + "/" + name
    if mkfifo(path, 0o600) != 0 { throw SystemError(operation: "mkfifo", errno: errno) }
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    if reader < 0 { throw SystemError(operation: "open", errno: errno) }
  }

  deinit { closeReader() }

  func closeReader() {
    if reader >= 0 { close(reader) }
    reader = -1
  }

  func openReader() { reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }

  /// F_SETPIPE_SZ, fcntl(2).
  func holdOnePage() { _ = fcntl(reader, 1031, Int32(4096)) }

  func waitForBytes() -> Bool {
    var wait = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
    return poll(&wait, 1, 20_000) == 1
  }

  /// Reads until there are that many lines, or bytes.
  func read(lines: Int = .max, bytes: Int = .max) -> [UInt8] {
    var all: [UInt8] = []
    var newlines = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let deadline = MonotonicTime.nanoseconds() + patience
    while newlines < lines, all.count < bytes, MonotonicTime.nanoseconds() < deadline {
      var wait = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
      _ = poll(&wait, 1, 100)
      let n = Glibc.read(reader, &buffer, buffer.count)
      if n <= 0 { continue }
      all.append(contentsOf: buffer[..<n])
      buffer.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        let read = Bytes(base, n)
        var at = 0
        while let newline = read.firstIndex(of: 0x0a, from: at) {
          newlines += 1
          at = newline + 1
        }
      }
    }
    return all
  }
}

extension LogSink {
  func write(_ text: String) {
    let owned = OwnedBytes(text)
    write(line: owned.bytes)
  }
}

@Suite struct LogWriterTests {
  let folder: TemporaryFolder
  let writer: LogWriter

  init() throws {
    folder = try TemporaryFolder()
    writer = try LogWriter()
  }

  @Test func linesReachTheirFile() throws {
    let sink = try writer.sink(.file(folder.path + "/a.log"))
    for i in 0..<1000 { sink.write("line \(i)\n") }
    #expect(writer.flush(timeout: patience))
    #expect(try folder.read("a.log") == (0..<1000).map { "line \($0)\n" }.joined())
    #expect(sink.counts == LogCounts(written: 1000))
  }

  @Test func aFileThatCannotBeOpenedIsRefused() {
    #expect(throws: SystemError.self) { try writer.sink(.file(folder.path + "/none/a.log")) }
    #expect(throws: SystemError.self) { try writer.sink(.file(folder.path)) }
    #expect(writer.counts.isEmpty)
  }

  @Test func oneTargetHasOneSink() throws {
    let target = LogTarget.file(folder.path + "/a.log")
    let one = try writer.sink(target)
    let two = try writer.sink(target)
    one.write("one\n")
    two.write("two\n")
    #expect(writer.counts.count == 1)
    #expect(two.counts.written + one.counts.written <= 4)
    writer.flush(timeout: patience)
    #expect(try folder.read("a.log") == "one\ntwo\n")
    _ = try writer.sink(target, kind: .process)
    #expect(writer.queue.state.wait(until: MonotonicTime.nanoseconds() + patience) { $0.sinks.count <= 2 })
  }

  /// What was handed over is written although nobody holds the sink any more; then its descriptor closes.
  @Test func aSinkClosesBehindItsLastLine() throws {
    let path = folder.path + "/a.log"
    func log() throws {
      let sink = try writer.sink(.file(path))
      for i in 0..<100 { sink.write("line \(i)\n") }
    }
    try log()
    let deadline = MonotonicTime.nanoseconds() + patience
    while !writer.counts.isEmpty, MonotonicTime.nanoseconds() < deadline { sched_yield() }
    #expect(writer.counts.isEmpty)
    #expect(try folder.read("a.log").split(separator: "\n").count == 100)
  }

  @Test func rotatedFilesAreOpenedAgain() throws {
    let path = folder.path + "/a.log"
    let sink = try writer.sink(.file(path))
    sink.write("before\n")
    writer.flush(timeout: patience)
    try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
    writer.reopen()
    let deadline = MonotonicTime.nanoseconds() + patience
    while !FileManager.default.fileExists(atPath: path), MonotonicTime.nanoseconds() < deadline { sched_yield() }
    sink.write("after\n")
    writer.flush(timeout: patience)
    #expect(try folder.read("a.log.1") == "before\n")
    #expect(try folder.read("a.log") == "after\n")
  }

  @Test func aFailedReopenKeepsTheOldFile() throws {
    let inner = folder.path + "/logs"
    try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
    let sink = try writer.sink(.file(inner + "/a.log"))
    try FileManager.default.moveItem(atPath: inner, toPath: inner + ".old")
    writer.reopen()
    let deadline = MonotonicTime.nanoseconds() + patience
    while sink.counts.errors == 0, MonotonicTime.nanoseconds() < deadline { sched_yield() }
    sink.write("still\n")
    writer.flush(timeout: patience)
    #expect(try folder.read("logs.old/a.log") == "still\n")
    #expect(sink.counts == LogCounts(written: 1, errors: 1))
  }

  // MARK: Slow and broken targets

  /// A reader that stands still costs lines, which are counted, and nothing else; whole lines arrive once it reads.
  @Test func aSlowReaderLosesWholeLines() throws {
    let pipe = try SlowPipe(in: folder)
    let sink = try writer.sink(.file(pipe.path))
    let other = try writer.sink(.file(folder.path + "/other.log"))
    let filler = String(repeating: "x", count: 1000)
    let total = 6000
    for i in 0..<total { sink.write("\(i) \(filler)\n") }
    #expect(sink.counts.queueFull > 0)

    // The other sink is not held up.
    other.write("fine\n")
    let deadline = MonotonicTime.nanoseconds() + patience
    while other.counts.written == 0, MonotonicTime.nanoseconds() < deadline { sched_yield() }
    #expect(try folder.read("other.log") == "fine\n")
    #expect(!writer.flush(timeout: 1_000_000))

    let kept = total - Int(sink.counts.queueFull)
    let read = pipe.read(lines: kept)
    let lines = String(decoding: read, as: UTF8.self).split(separator: "\n")
    #expect(lines.count == kept)
    var last = -1
    for line in lines {
      let parts = line.split(separator: " ")
      let number = Int(parts[0]) ?? -1
      #expect(number > last && parts.count == 2 && parts[1] == filler)
      last = number
    }
    #expect(writer.flush(timeout: patience))
    #expect(sink.counts == LogCounts(written: UInt64(kept), queueFull: UInt64(total - kept)))
  }

  @Test func aFullDiskIsCounted() throws {
    let sink = try writer.sink(.file("/dev/full"))
    sink.write("one\n")
    writer.flush(timeout: patience)
    #expect(sink.counts == LogCounts(writeError: 1, errors: 1))
  }

  /// A reader that leaves breaks the line that is half out. No signal ends the process, and the next reader sees the
  /// next line on a line of its own.
  @Test func aLineAfterABrokenOneStartsAfresh() throws {
    let pipe = try SlowPipe(in: folder)
    pipe.holdOnePage()
    let sink = try writer.sink(.file(pipe.path))
    sink.write(String(repeating: "a", count: 10_000) + "\n")
    #expect(pipe.waitForBytes())
    pipe.closeReader()
    #expect(writer.flush(timeout: patience))
    #expect(sink.counts == LogCounts(writeError: 1, errors: 1))
    pipe.openReader()
    sink.write("whole\n")
    let lines = String(decoding: pipe.read(lines: 2), as: UTF8.self).split(separator: "\n")
    #expect(lines.map(\.count) == [4096, 5])
    #expect(lines.last == "whole")
  }

  @Test func stoppingDoesNotWaitForAReaderForever() throws {
    let pipe = try SlowPipe(in: folder)
    let sink = try writer.sink(.file(pipe.path))
    let filler = String(repeating: "x", count: 60_000) + "\n"
    for _ in 0..<20 { sink.write(filler) }
    writer.stop(timeout: 50_000_000)
    let counts = sink.counts
    #expect(counts.written + counts.writeError == 20)
    #expect(counts.writeError > 0)
    sink.write("late\n")
    #expect(sink.counts.queueFull == 1)
    withExtendedLifetime(pipe) {}
  }

  @Test func stoppingWritesWhatWaits() throws {
    let sink = try writer.sink(.file(folder.path + "/a.log"))
    for i in 0..<5000 { sink.write("line \(i)\n") }
    writer.stop(timeout: patience)
    #expect(try folder.read("a.log").split(separator: "\n").count == 5000)
  }

  @Test func linesThatAreTooLongAreCounted() throws {
    let sink = try writer.sink(.file(folder.path + "/a.log"))
    sink.write(String(repeating: "x", count: LogChunk.capacity + 1))
    sink.write(String(repeating: "y", count: LogChunk.capacity - 1) + "\n")
    writer.flush(timeout: patience)
    #expect(sink.counts == LogCounts(written: 1, tooLong: 1))
  }

  @Test func manyThreadsKeepTheirLinesWhole() throws {
    let sink = try writer.sink(.file(folder.path + "/a.log"))
    let running = Atomic(4)
    for t in 0..<4 {
      Thread {
        for i in 0..<2000 { sink.write("\(t) \(i) end\n") }
        running.subtract(1, ordering: .releasing)
      }.start()
    }
    while running.load(ordering: .acquiring) > 0 { sched_yield() }
    #expect(writer.flush(timeout: patience))
    var next = [0, 0, 0, 0]
    for line in try folder.read("a.log").split(separator: "\n") {
      let parts = line.split(separator: " ")
      let thread = try #require(Int(parts[0]))
      #expect(parts.count == 3 && Int(parts[1]) == next[thread] && parts[2] == "end")
      next[thread] += 1
    }
    #expect(next == [2000, 2000, 2000, 2000])
  }

  @Test func itsMetricsAreExposed() throws {
    let registry = MetricsRegistry()
    try writer.register(in: registry)
    let path = folder.path + "/a.log"
    let sink = try writer.sink(.file(path))
    let process = try writer.sink(.file(path), kind: .process)
    sink.write("one\n")
    process.write("two\n")
    writer.flush(timeout: patience)
    let snapshot = registry.snapshot()
    #expect(snapshot.number("weft_access_log_lines_total", [path]) == 1)
    #expect(snapshot.number("weft_access_log_dropped_total", [path, "queue_full"]) == 0)
    #expect(snapshot.number("weft_log_lines_total") == 1)
    #expect(snapshot.family("weft_access_log_dropped_total")?.series.count == 3)
  }
}
