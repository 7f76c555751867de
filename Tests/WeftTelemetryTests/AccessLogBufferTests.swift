import Foundation
import Synchronization
import Testing
import WeftIO

@testable import WeftTelemetry

private let patience: UInt64 = 120_000_000_000

@Suite struct AccessLogBufferTests {
  let folder: TemporaryFolder
  let writer: LogWriter
  let sink: LogSink

  init() throws {
    folder = try TemporaryFolder()
    writer = try LogWriter()
    sink = try writer.sink(.file(folder.path + "/access.log"))
  }

  @Test func linesWaitForTheFlush() throws {
    let buffer = AccessLogBuffer(format: try AccessLogFormat(text: "%REQ(:PATH)% %RESPONSE_CODE%"), sink: sink)
    buffer.write(Sample.record(), NoAccessFields())
    buffer.write(Sample.record(), NoAccessFields())
    #expect(buffer.pendingLines == 2)
    writer.flush(timeout: patience)
    #expect(try folder.read("access.log") == "")
    buffer.flush()
    #expect(buffer.pendingLines == 0)
    writer.flush(timeout: patience)
    #expect(try folder.read("access.log") == "/shop/items?id=7&sort=up 200\n/shop/items?id=7&sort=up 200\n")
  }

  @Test func aFullBufferIsHandedOverAndNoLineIsCut() throws {
    let fields = TestFields(["x": String(repeating: "x", count: 1000)])
    do {
      let buffer = AccessLogBuffer(format: try AccessLogFormat(text: "<%REQ(x)%>"), sink: sink)
      for _ in 0..<500 { buffer.write(Sample.record(), fields) }
    }
    #expect(writer.flush(timeout: patience))
    let lines = try folder.read("access.log").split(separator: "\n")
    #expect(lines.count == 500)
    #expect(lines.allSatisfy { $0.count == 1002 && $0.hasPrefix("<") && $0.hasSuffix(">") })
  }

  @Test func aLineThatFitsNowhereIsCounted() throws {
    let fields = TestFields(["x": String(repeating: "\u{1}", count: 16_000)])
    let format = try AccessLogFormat(text: "%REQ(x):16384%%REQ(x):16384%")
    let buffer = AccessLogBuffer(format: format, sink: sink)
    buffer.write(Sample.record(), NoAccessFields())
    buffer.write(Sample.record(), fields)
    buffer.write(Sample.record(), NoAccessFields())
    buffer.flush()
    writer.flush(timeout: patience)
    #expect(sink.counts == LogCounts(written: 2, tooLong: 1))
  }

  @Test func flushingNothingIsHarmless() throws {
    let buffer = AccessLogBuffer(format: try AccessLogFormat(), sink: sink)
    buffer.flush()
    buffer.flush()
    #expect(sink.counts == LogCounts())
  }

  /// Several workers write at once; each line arrives whole and once.
  @Test func workersShareASink() throws {
    let format = try AccessLogFormat(json: [("n", .text("%CONNECTION_ID%")), ("p", .text("%REQ(:PATH)%"))])
    let workers = 3
    let rounds = 3000
    let running = Atomic(workers)
    for worker in 0..<workers {
      let sink = sink
      Thread {
        let buffer = AccessLogBuffer(format: format, sink: sink)
        for i in 0..<rounds {
          var record = Sample.record()
          record.connectionID = UInt64(worker * rounds + i)
          buffer.write(record, NoAccessFields())
          if i % 100 == 0 { buffer.flush() }
        }
        buffer.flush()
        running.subtract(1, ordering: .releasing)
      }.start()
    }
    while running.load(ordering: .acquiring) > 0 { sched_yield() }
    #expect(writer.flush(timeout: patience))
    let counts = sink.counts
    #expect(counts.written + counts.queueFull == UInt64(workers * rounds))
    var seen = Set<Int>()
    for line in try folder.read("access.log").split(separator: "\n") {
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(seen.insert(try #require(object["n"] as? Int)).inserted)
    }
    #expect(seen.count == Int(counts.written))
  }
}
