import WeftIO

/// Follows a body that is passed on unchanged: how many of the received bytes belong to it, and when it has ended.
public struct BodyTracker {
  @usableFromInline
  enum Mode: UInt8 { case done, length, untilClose, chunked, failed }

  @usableFromInline var mode: Mode
  @usableFromInline var remaining: UInt64 = 0
  @usableFromInline var counted: UInt64 = 0
  @usableFromInline var chunks = ChunkScanner()
  @usableFromInline var isFresh = true

  @inlinable
  public init(_ framing: BodyFraming) {
    mode = .done
    begin(framing)
  }

  /// Starts anew with another body.
  @inlinable @inline(__always)
  public mutating func begin(_ framing: BodyFraming) {
    counted = 0
    remaining = 0
    if !isFresh {
      chunks = ChunkScanner()
      isFresh = true
    }
    switch framing {
    case .none: mode = .done
    case .length(let length):
      mode = length == 0 ? .done : .length
      remaining = length
    case .chunked: mode = .chunked
    case .untilClose: mode = .untilClose
    }
  }

  /// The whole body has been seen.
  @inlinable @inline(__always) public var isDone: Bool { mode == .done }
  /// Only the end of the connection ends this body.
  @inlinable @inline(__always) public var isUntilClose: Bool { mode == .untilClose }
  /// Bytes of content so far, without any framing.
  @inlinable public var dataBytes: UInt64 { counted &+ chunks.dataBytes }
  /// Why `consume` gave -1.
  public var fault: HTTPParseError { chunks.fault }

  /// The sender closed its connection: that ends a body which lasts until then, and cuts any other short.
  /// - Returns: whether the body is whole.
  @discardableResult
  public mutating func close() -> Bool {
    if mode == .untilClose { mode = .done }
    return mode == .done
  }

  /// Takes note of the next `n` received bytes.
  /// - Returns: how many of them, from the first, belong to this body; fewer than `n` only when it ends there. -1 when its
  ///   chunked framing is malformed; `fault` says how.
  @inlinable @inline(__always)
  public mutating func consume(_ p: BytePointer, _ n: Int) -> Int {
    switch mode {
    case .done: return 0
    case .length:
      let length = UInt64(truncatingIfNeeded: n)
      if length < remaining {
        remaining &-= length
        counted &+= length
        return n
      }
      let rest = Int(truncatingIfNeeded: remaining)
      counted &+= remaining
      remaining = 0
      mode = .done
      return rest
    case .untilClose:
      counted &+= UInt64(truncatingIfNeeded: n)
      return n
    case .chunked: return consumeChunked(p, n)
    case .failed: return -1
    }
  }

  @usableFromInline
  mutating func consumeChunked(_ p: BytePointer, _ n: Int) -> Int {
    isFresh = false
    var i = 0
    while i < n {
      switch chunks.state {
      case .data: i &+= chunks.takeData(n &- i)
      case .trailers: i = chunks.readTrailer(p, n, from: i)
      default: i = chunks.readFraming(p, n, from: i)
      }
      if chunks.state == .done {
        mode = .done
        return i
      }
      if chunks.state == .failed {
        mode = .failed
        return -1
      }
    }
    return n
  }
}
