import Glibc
import Testing

@testable import WeftIO

@Suite struct SplicePipeTests {
  private func pair() throws -> (Int32, Int32) {
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    return (ends[0], ends[1])
  }

  @Test func bytesGoFromSocketToSocket() throws {
    let (a, b) = try pair()
    let (c, d) = try pair()
    defer { for fd in [a, b, c, d] { Socket.close(fd) } }
    var pipe = try #require(SplicePipe())
    defer { pipe.close() }
    #expect(pipe.fill(from: b).wouldBlock)
    let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
    try #require(send(a, bytes, bytes.count, 0) == bytes.count)
    var received: [UInt8] = []
    while received.count < bytes.count {
      if pipe.count == 0 { try #require(pipe.fill(from: b).raw > 0) }
      let held = pipe.count
      let moved = pipe.drain(into: c)
      #expect(pipe.count == held - max(moved.raw, 0))
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let n = recv(d, &buffer, buffer.count, 0)
      if n > 0 { received += buffer.prefix(n) }
    }
    #expect(received == bytes)
    shutdown(a, Int32(SHUT_WR))
    #expect(pipe.fill(from: b).isEnd)
  }

  @Test func whatTheSocketDoesNotTakeStays() throws {
    let (a, b) = try pair()
    let (c, d) = try pair()
    defer { for fd in [a, b, c] { Socket.close(fd) } }
    signal(SIGPIPE, SIG_IGN)
    var pipe = try #require(SplicePipe())
    defer { pipe.close() }
    let bytes = [UInt8](repeating: 7, count: 30_000)
    while send(c, bytes, bytes.count, Int32(MSG_DONTWAIT)) > 0 {}
    try #require(send(a, bytes, bytes.count, 0) == bytes.count)
    try #require(pipe.fill(from: b).raw == bytes.count)
    #expect(pipe.drain(into: c).wouldBlock)
    #expect(pipe.count == bytes.count)
    Socket.close(d)
    #expect(pipe.drain(into: c).failed)
  }

  @Test func pipesAreBoundedAndUsedAgain() throws {
    let pipes = SplicePipes(limit: 2, keep: 1)
    let first = try #require(pipes.take())
    let second = try #require(pipes.take())
    #expect(pipes.take() == nil)
    pipes.give(first)
    pipes.give(second)
    #expect(pipes.lent == 0)
    #expect(pipes.take() != nil)
    pipes.isUnsupported = true
    #expect(pipes.take() == nil)
  }
}
