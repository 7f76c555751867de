import ArgumentParser
import Glibc
import WeftIO

/// What a WebSocket scenario forwards to.
struct EchoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "echo", abstract: "Answer WebSocket messages with what they say, until a signal.",
    discussion: "Example:\n  weft-load echo --port 9001")

  @Option(help: "Port at 127.0.0.1.") var port: UInt16

  func run() throws {
    let reactor = try Reactor(batch: 256)
    let listener = try Socket.listen(SocketAddress(.loopbackV4, port: port))
    try reactor.addLevelTriggered(listener, Token(kind: 1, slot: 0, generation: 0))
    let scratch = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 65_536)
    defer { scratch.deallocate() }
    var open: [Int: Connection] = [:]
    var upgraded: Set<Int> = []
    var peer = SocketAddress()
    while true {
      let count = reactor.wait(milliseconds: -1)
      for i in 0..<count {
        let token = reactor.token(i)
        if token.kind == 1 {
          while case .connection(let fd) = Socket.accept(listener, peer: &peer) {
            open[Int(fd)] = Connection(fd)
            try reactor.add(fd, Token(kind: 0, slot: Int(fd), generation: 0))
          }
          continue
        }
        let slot = token.slot
        guard var connection = open.removeValue(forKey: slot) else { continue }
        do {
          try serve(&connection, slot, reactor.readiness(i), &upgraded, scratch)
          open[slot] = connection
        } catch {
          Socket.close(Int32(slot))
          upgraded.remove(slot)
        }
      }
    }
  }

  private func serve(
    _ connection: inout Connection, _ slot: Int, _ ready: Readiness, _ upgraded: inout Set<Int>,
    _ scratch: UnsafeMutableBufferPointer<UInt8>
  ) throws {
    if ready.writable { try connection.flush() }
    guard ready.readable else { return }
    try connection.receive(scratch)
    if !upgraded.contains(slot) {
      guard let head = HTTPResponse.headEnd(connection.received) else { return }
      let text = String(decoding: connection.received.prefix(head), as: UTF8.self).lowercased()
      connection.consume(head)
      guard text.contains("upgrade: websocket") else {
        return try connection.send(Array("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".utf8))
      }
      upgraded.insert(slot)
      try connection.send(Array(WebSocketFrame.acceptance.utf8))
    }
    while let (head, all) = WebSocketFrame.length(connection.received) {
      let size = all - head
      connection.consume(all)
      try connection.send(WebSocketFrame.text(size: size, masked: false))
    }
  }
}
