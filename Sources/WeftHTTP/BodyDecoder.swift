import WeftIO

/// Takes the framing off a body: for filters that look at content, and for writing it anew in another framing.
public struct BodyDecoder {
  /// What the bytes given to `next` begin with.
  @frozen
  public enum Step: Equatable, Sendable {
    /// `count` bytes of content from index `start` on; go on behind the first `consumed` bytes.
    case data(start: Int, count: Int, consumed: Int)
    /// All `consumed` bytes were framing; come again with more.
    case needMore(consumed: Int)
    /// The body ended behind the first `consumed` bytes; its trailers are complete.
    case end(consumed: Int)
    case malformed(HTTPParseError)
  }

  private enum Mode: UInt8 { case done, length, untilClose, chunked, failed }

  private var mode: Mode
  private var remaining: UInt64 = 0
  private var chunks = ChunkScanner()
  /// Where the trailer line that is being received begins in the arena of the trailers' table.
  private var lineStart = 0
  private var lineCopied = 0

  public init(_ framing: BodyFraming) {
    switch framing {
    case .none: mode = .done
    case .length(let length):
      mode = length == 0 ? .done : .length
      remaining = length
    case .chunked: mode = .chunked
    case .untilClose: mode = .untilClose
    }
  }

  /// The whole body has been decoded: `next` gives `.end` and consumes nothing.
  public var isDone: Bool { mode == .done }
  public var isUntilClose: Bool { mode == .untilClose }

  /// The sender closed its connection: that ends a body which lasts until then, and cuts any other short.
  /// - Returns: whether the body is whole.
  @discardableResult
  public mutating func close() -> Bool {
    if mode == .untilClose { mode = .done }
    return mode == .done
  }

  /// Decodes the beginning of the `n` bytes at `p`. Call again, behind what was consumed, until it gives `needMore` or
  /// `end`.
  /// - Parameter trailers: receives trailer fields, copied into its arena. Give the same table each time, empty at first.
  public mutating func next(_ p: BytePointer, _ n: Int, trailers: inout HeaderTable) -> Step {
    switch mode {
    case .done: return .end(consumed: 0)
    case .untilClose: return n > 0 ? .data(start: 0, count: n, consumed: n) : .needMore(consumed: 0)
    case .length:
      if n <= 0 { return .needMore(consumed: 0) }
      let taken = min(UInt64(truncatingIfNeeded: n), remaining)
      remaining &-= taken
      if remaining == 0 { mode = .done }
      let count = Int(truncatingIfNeeded: taken)
      return .data(start: 0, count: count, consumed: count)
    case .chunked: return nextChunked(p, n, &trailers)
    case .failed: return .malformed(chunks.fault)
    }
  }

  private mutating func nextChunked(_ p: BytePointer, _ n: Int, _ trailers: inout HeaderTable) -> Step {
    var i = 0
    while i < n {
      switch chunks.state {
      case .data:
        let start = i
        let count = chunks.takeData(n &- i)
        return .data(start: start, count: count, consumed: start &+ count)
      case .trailers: i = readTrailer(p, n, from: i, &trailers)
      default: i = chunks.readFraming(p, n, from: i)
      }
      if chunks.state == .done {
        mode = .done
        return .end(consumed: i)
      }
      if chunks.state == .failed {
        mode = .failed
        return .malformed(chunks.fault)
      }
    }
    return .needMore(consumed: n)
  }

  /// Reads at most one trailer line and copies what came of it; a row is made when the line is whole.
  private mutating func readTrailer(_ p: BytePointer, _ n: Int, from: Int, _ trailers: inout HeaderTable) -> Int {
    let isNewLine = chunks.trailer.state == .lineStart
    let end = chunks.readTrailer(p, n, from: from)
    let line = chunks.trailer
    switch line.state {
    case .endLF, .end, .failed: return end
    default: break
    }
    if isNewLine {
      lineStart = trailers.arena.used
      lineCopied = 0
    } else if trailers.arena.used != lineStart &+ lineCopied {
      // Something else was added to the table since: the line must stay in one piece.
      lineStart = trailers.arena.append(trailers.arena.pointer(lineStart), lineCopied)
    }
    let isStored = lineStart >= 0 && trailers.arena.append(p + from, end &- from) >= 0
    lineCopied &+= end &- from
    if !isStored || (line.state == .lineStart && !appendRow(line, &trailers)) { chunks.fail(.trailersTooLarge) }
    return end
  }

  private func appendRow(_ line: TrailerScanner, _ trailers: inout HeaderTable) -> Bool {
    let name = trailers.arena.pointer(lineStart)
    return trailers.append(
      HeaderField(
        nameStart: lineStart, nameLength: line.nameLength, valueStart: lineStart &+ line.valueStart,
        valueLength: line.valueEnd &- line.valueStart, known: KnownHeader.classify(name, line.nameLength),
        flags: line.isRegular ? .inArena : [.inArena, .irregular]))
  }
}
