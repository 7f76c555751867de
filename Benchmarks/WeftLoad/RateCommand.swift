import ArgumentParser
import Glibc
import WeftIO

/// A fixed rate: request number k is due k/rate seconds after the start, whether or not earlier ones were answered. A
/// latency counts from that moment, so that a stall is charged with all the requests that it held up, and not only with
/// those that a load waiting for answers would have sent (Gil Tene's "coordinated omission").
struct RateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rate", abstract: "Send GET requests at a fixed rate, and time them from when they were due.",
    discussion: "Example:\n  weft-load rate --port 8080 --rate 20000 --connections 64 --seconds 10")

  @Option(help: "Port at 127.0.0.1.") var port: UInt16
  @Option(help: "Requests a second.") var rate: Int
  @Option(help: "Keep-alive connections.") var connections: Int = 64
  @Option(help: "Length.") var seconds: Int = 10
  @Option(help: "Path.") var path: String = "/"

  func validate() throws {
    guard (1...1_000_000).contains(rate), (1...20_000).contains(connections), (1...3_600).contains(seconds) else {
      throw ValidationError("--rate takes 1 to 1,000,000, --connections 1 to 20,000, --seconds 1 to 3,600")
    }
  }

  func run() throws {
    let poller = try Poller()
    let address = SocketAddress(.loopbackV4, port: port)
    var open: [Connection] = []
    for slot in 0..<connections {
      open.append(try Connection.open(address))
      try poller.add(open[slot].descriptor, slot)
    }
    let request = Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n\r\n".utf8)
    let scratch = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 65_536)
    defer { scratch.deallocate() }

    var idle = Array((0..<connections).reversed())
    var latencies = Histogram()
    var failures = 0
    let step = 1_000_000_000 / UInt64(rate)
    let start = MonotonicTime.nanoseconds() + 10_000_000
    let total = UInt64(rate) * UInt64(seconds)
    var sent: UInt64 = 0
    let deadline = start + UInt64(seconds + 10) * 1_000_000_000

    while latencies.total < total {
      var now = MonotonicTime.nanoseconds()
      if now > deadline { throw LoadError("\(total - latencies.total) of \(total) requests were not answered in time") }
      while sent < total, !idle.isEmpty {
        let due = start + sent * step
        if due > now { break }
        let slot = idle.removeLast()
        open[slot].due = due
        try open[slot].send(request)
        sent += 1
      }
      var pause: UInt64 = 1_000_000_000
      if sent < total, !idle.isEmpty {
        now = MonotonicTime.nanoseconds()
        let due = start + sent * step
        if due <= now { continue }
        pause = min(pause, due - now)
      }
      for i in 0..<poller.wait(nanoseconds: pause) {
        let slot = poller.number(i)
        let ready = poller.readiness(i)
        if ready.writable { try open[slot].flush() }
        guard ready.readable else { continue }
        try open[slot].receive(scratch)
        guard let due = open[slot].due, let (status, length) = try HTTPResponse.read(open[slot].received) else {
          continue
        }
        open[slot].consume(length)
        latencies.add(MonotonicTime.nanoseconds() - due)
        if status != 200 { failures += 1 }
        open[slot].due = nil
        idle.append(slot)
      }
    }
    Report(latencies, failures: failures, nanoseconds: MonotonicTime.nanoseconds() - start).print()
  }
}
