import Testing
import WeftHTTP

/// The fuzzer's properties over sequences of frames, the same in every run.
@Suite("HTTP/2: whatever a peer sends") struct SessionFuzzTests {
  private static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8] = []) -> [UInt8] {
    [0, UInt8(payload.count >> 8), UInt8(payload.count & 0xff), type, flags, 0, 0, 0, stream] + payload
  }

  private static let get: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x61]

  /// Frames that mean something, for either role.
  private static let pieces: [[UInt8]] = [
    frame(1, 5, 1, get), frame(1, 4, 1, get), frame(1, 5, 3, get + [0x40, 1, 0x78, 1, 0x79]), frame(1, 1, 1, get),
    frame(9, 4, 1, [0x40, 1, 0x78, 1, 0x79]), frame(0, 1, 1, Array("body".utf8)), frame(0, 0, 1),
    frame(3, 0, 1, [0, 0, 0, 8]),
    frame(1, 5, 1, [0x40, 1, 0x78, 1, 0x79]), frame(1, 5, 1, [0x88]), frame(1, 4, 1, [0x88]), frame(1, 4, 3, [0x88]),
    frame(4, 0, 0), frame(4, 0, 0, [0, 4, 0, 0, 0, 1]), frame(4, 1, 0), frame(6, 0, 0, Array("12345678".utf8)),
    frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]), frame(8, 0, 1, [0, 0, 1, 0]), frame(8, 0, 0, [0, 0, 1, 0]),
    frame(5, 4, 1, [0, 0, 0, 2] + get), frame(0xb0, 0xff, 0, [1]),
  ]

  @Test(arguments: 0..<8)
  func sequences(_ part: Int) {
    var random = SmallRandom(seed: UInt64(part))
    for _ in 0..<400 {
      var input = [UInt8(random.below(256)) | UInt8(random.below(2) * 4)]
      for _ in 0...random.below(8) { input += Self.pieces[random.below(Self.pieces.count)] }
      for _ in 0..<random.below(3) { input[1 + random.below(input.count - 1)] = UInt8(random.below(256)) }
      let violation = SessionProperties.violation(of: input)
      #expect(violation == nil, "\(input)")
      if violation != nil { return }
    }
  }
}
