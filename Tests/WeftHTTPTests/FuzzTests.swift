import Testing
import WeftHTTP

/// The fuzzer's properties over mutations of the corpus, the same in every run.
@Suite struct FuzzTests {
  @Test(arguments: 0..<8)
  func mutationsOfTheCorpus(_ part: Int) {
    var random = SmallRandom(seed: UInt64(part))
    let files = CorpusFile.all.filter { $0.bytes.count < 600 }
    for _ in 0..<150 {
      let base = files[random.below(files.count)].bytes
      let other = files[random.below(files.count)].bytes
      let input = Mutation.mutate(base, with: other, &random)
      let violation =
        CodecProperties.violation(of: input)
        ?? CodecProperties.violation(of: input, limits: CodecProperties.tightLimits)
      #expect(violation == nil, "\(String(decoding: input, as: UTF8.self).debugDescription)")
      if violation != nil { return }
    }
  }
}

enum Mutation {
  private static let pieces = [
    "\r\n", "\r", "\n", "\0", " ", "\t", ":", ",", ";", "\r\n\r\n", "HTTP/1.1", "HTTP/1.0", "chunked", "gzip", "close",
    "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "Connection: x\r\n", "Upgrade: y\r\n",
    "Expect: 100-continue\r\n", "TE: trailers\r\n", "http://c", "0\r\n", "ffffffffffffffff", "\u{ff}", "?", "#",
    "[::1]",
  ].map { bytes($0) }

  static func mutate(_ base: [UInt8], with other: [UInt8], _ random: inout SmallRandom) -> [UInt8] {
    var input = base
    for _ in 0...random.below(4) {
      let at = random.below(input.count + 1)
      let end = min(input.count, at + random.below(12))
      switch random.below(6) {
      case 0: input.removeSubrange(at..<end)
      case 1: input.insert(contentsOf: pieces[random.below(pieces.count)], at: at)
      case 2: if at < input.count { input[at] = UInt8(truncatingIfNeeded: random.next()) }
      case 3: input.replaceSubrange(at..<end, with: pieces[random.below(pieces.count)])
      case 4: input.insert(contentsOf: input[at..<end], at: at)
      default: input.replaceSubrange(at..., with: other.dropFirst(random.below(other.count + 1)))
      }
    }
    return input
  }
}
