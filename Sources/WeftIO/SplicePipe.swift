import CLinux
import Glibc

/// A pipe through which bytes go from one socket to another without being copied (splice(2)). Whoever has it owns its
/// two descriptors.
public struct SplicePipe: Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32
  /// Bytes in it.
  public private(set) var count: Int {
    get { Int(held) }
    set { held = Int32(truncatingIfNeeded: newValue) }
  }
  private var held: Int32 = 0

  /// Bytes that it is made to hold; with less the kernel's default of 64 KiB stays.
  public static let size = 256 * 1024

  /// nil when there are no descriptors left.
  public init?() {
    var ends: (Int32, Int32) = (-1, -1)
    if cl_splice_pipe(&ends.0, &ends.1, Int32(SplicePipe.size)) != 0 { return nil }
    (readEnd, writeEnd) = ends
  }

  /// Takes what `socket` has, as far as it fits.
  /// - Returns: as of a receive; EINVAL when the kernel cannot do it for such a socket.
  public mutating func fill(from socket: Int32) -> IOResult {
    let result = SplicePipe.move(socket, writeEnd, SplicePipe.size)
    if result.raw > 0 { count &+= result.raw }
    return result
  }

  /// Gives `socket` what the pipe holds, as far as it takes it.
  /// - Returns: as of a send.
  public mutating func drain(into socket: Int32) -> IOResult {
    if count == 0 { return IOResult(raw: 0) }
    let result = SplicePipe.move(readEnd, socket, count)
    if result.raw > 0 { count &-= min(result.raw, count) }
    return result
  }

  private static func move(_ from: Int32, _ to: Int32, _ count: Int) -> IOResult {
    while true {
      let n = cl_splice(from, to, count)
      if n != -Int(EINTR) { return IOResult(raw: n) }
    }
  }

  /// Gives up the pipe, and what is in it.
  public func close() {
    Socket.close(readEnd)
    Socket.close(writeEnd)
  }
}

/// The pipes of one worker: a bounded number, of which those that are not needed wait.
public final class SplicePipes {
  private var spare: [SplicePipe] = []
  private let limit: Int
  private let keep: Int
  /// Pipes that are lent.
  public private(set) var lent = 0
  /// The kernel has refused to splice: it is not asked again.
  public var isUnsupported = false

  /// - Parameters:
  ///   - limit: pipes that may be lent at once; each can hold `SplicePipe.size` bytes.
  ///   - keep: pipes that wait at the most.
  public init(limit: Int, keep: Int) {
    self.limit = limit
    self.keep = keep
  }

  deinit { for pipe in spare { pipe.close() } }

  /// An empty pipe; nil when there is none to be had.
  public func take() -> SplicePipe? {
    if isUnsupported || lent >= limit { return nil }
    guard let pipe = spare.popLast() ?? SplicePipe() else { return nil }
    lent &+= 1
    return pipe
  }

  /// Takes a pipe back; one that is not empty is closed.
  public func give(_ pipe: SplicePipe) {
    lent &-= 1
    if pipe.count == 0 && spare.count < keep { spare.append(pipe) } else { pipe.close() }
  }
}
