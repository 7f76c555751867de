import NIOCore
import NIOEmbedded
import Testing

@testable import WeftStore

@Suite struct ResetFilterTests {
  private func frame(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255), type, 0, 0, 0, 0, 1]
      + payload
  }

  @Test(
    "resets without an error go, everything else stays, however the bytes are cut",
    arguments: [1, 2, 7, 12, 13, 100, 5_000])
  func cuts(_ size: Int) throws {
    let reset = frame(3, [0, 0, 0, 0])
    let kept = [
      frame(4, []), frame(0, Array(repeating: 3, count: 700)), frame(3, [0, 0, 0, 8]),
      frame(1, [0, 0, 0, 4, 3, 0, 0, 0]),
      // A payload that looks like a reset is none.
      frame(0, reset + reset), frame(8, [0, 0, 0, 0]), frame(3, [0, 0, 0, 0, 0]),
    ]
    let sent = reset + kept.flatMap { $0 + reset } + reset
    let channel = EmbeddedChannel(handler: ResetFilter())
    for start in stride(from: 0, to: sent.count, by: size) {
      try channel.writeInbound(ByteBuffer(bytes: sent[start..<min(start + size, sent.count)]))
    }
    var found: [UInt8] = []
    while let part = try channel.readInbound(as: ByteBuffer.self) { found += Array(part.readableBytesView) }
    #expect(found == kept.flatMap { $0 })
    _ = try channel.finish()
  }
}
