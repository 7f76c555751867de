import ArgumentParser
import Glibc
import WeftIO

/// Messages over WebSocket connections, each answered by an echo before the next is sent.
struct WebSocketCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "websocket", abstract: "Send WebSocket messages and wait for their echoes.",
    discussion: "Example:\n  weft-load websocket --port 8080 --connections 64 --size 128 --seconds 5")

  @Option(help: "Port at 127.0.0.1.") var port: UInt16
  @Option(help: "Connections.") var connections: Int = 64
  @Option(help: "Bytes of a message.") var size: Int = 128
  @Option(help: "Length.") var seconds: Int = 5

  func validate() throws {
    guard (1...20_000).contains(connections), (0...65_535).contains(size), (1...3_600).contains(seconds) else {
      throw ValidationError("--connections takes 1 to 20,000, --size 0 to 65,535, --seconds 1 to 3,600")
    }
  }

  func run() throws {
    let reactor = try Reactor(batch: 256)
    let address = SocketAddress(.loopbackV4, port: port)
    let scratch = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 65_536)
    defer { scratch.deallocate() }
    let message = WebSocketFrame.text(size: size, masked: true)
    let echo = WebSocketFrame.text(size: size, masked: false)
    var open: [Connection] = []
    for slot in 0..<connections {
      open.append(try Connection.open(address))
      try reactor.add(open[slot].descriptor, Token(kind: 0, slot: slot, generation: 0))
      try open[slot].send(Array(WebSocketFrame.handshake.utf8))
    }
    var upgraded = [Bool](repeating: false, count: connections)
    var latencies = Histogram()
    let start = MonotonicTime.nanoseconds()
    let end = start + UInt64(seconds) * 1_000_000_000
    while MonotonicTime.nanoseconds() < end {
      let count = reactor.wait(milliseconds: 200)
      for i in 0..<count {
        let slot = reactor.token(i).slot
        let ready = reactor.readiness(i)
        if ready.writable { try open[slot].flush() }
        guard ready.readable else { continue }
        try open[slot].receive(scratch)
        if !upgraded[slot] {
          guard let head = HTTPResponse.headEnd(open[slot].received) else { continue }
          guard String(decoding: open[slot].received.prefix(12), as: UTF8.self) == "HTTP/1.1 101" else {
            throw LoadError("not upgraded: \(String(decoding: open[slot].received.prefix(80), as: UTF8.self))")
          }
          open[slot].consume(head)
          upgraded[slot] = true
        } else {
          guard open[slot].received.count >= echo.count else { continue }
          guard open[slot].received == echo else { throw LoadError("a message came back changed") }
          open[slot].consume(echo.count)
          if let due = open[slot].due { latencies.add(MonotonicTime.nanoseconds() - due) }
        }
        open[slot].due = MonotonicTime.nanoseconds()
        try open[slot].send(message)
      }
    }
    guard upgraded.allSatisfy({ $0 }) else { throw LoadError("not every connection was upgraded") }
    Report(latencies, failures: 0, nanoseconds: MonotonicTime.nanoseconds() - start).print()
  }
}
