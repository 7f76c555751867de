import Glibc
import WeftIO

/// Bulk on its way through a tunnel: from socket to socket through a pipe, so that no byte is copied by the worker.
/// Only where neither side encrypts, and only behind a read that filled a whole buffer: a pipe costs small messages more
/// than it spares.
extension Worker {
  enum Spliced {
    case moved
    /// The one socket has nothing, or the other one takes nothing.
    case waits
    case failed
    /// To be copied.
    case unsuitable
  }

  /// Pipes of one worker, and those of them that wait to be used.
  static let pipeLimit = 64
  static let pipesKept = 8
  /// With less in one go a tunnel goes back to copying.
  private static let bulk = 32 * 1024

  func canSplice(_ c: ClientRef, _ u: UpstreamRef) -> Bool {
    c.pointee.tls == nil && u.pointee.tls == nil && !c.pointee.isStream && !u.pointee.isStream
  }

  /// From the client to the upstream.
  func spliceUp(_ c: ClientRef, _ u: UpstreamRef, _ moved: inout UInt64) -> Spliced {
    splice(
      from: c.pointee.fd, to: u.pointee.fd, &u.pointee.pipe, isBulk: &c.pointee.isBulk, readable: &c.pointee.readable,
      sawEOF: &c.pointee.sawEOF, &moved)
  }

  /// From the upstream to the client.
  func spliceDown(_ u: UpstreamRef, _ c: ClientRef, _ moved: inout UInt64) -> Spliced {
    c.pointee.useStream()
    return splice(
      from: u.pointee.fd, to: c.pointee.fd, &c.pointee.pipe, isBulk: &u.pointee.isBulk, readable: &u.pointee.readable,
      sawEOF: &u.pointee.sawEOF, &moved)
  }

  private func splice(
    from source: Int32, to sink: Int32, _ pipe: inout SplicePipe?, isBulk: inout Bool, readable: inout Bool,
    sawEOF: inout Bool, _ moved: inout UInt64
  ) -> Spliced {
    if pipe == nil {
      if !readable { return .waits }
      guard var taken = pipes.take() else {
        isBulk = false
        return .unsuitable
      }
      let result = taken.fill(from: source)
      if result.raw <= 0 {
        pipes.give(taken)
        isBulk = false
        if !result.isEnd && !result.wouldBlock && result.errno == EINVAL {
          pipes.isUnsupported = true
          return .unsuitable
        }
        readable = false
        if result.isEnd { sawEOF = true }
        return result.failed ? .failed : .waits
      }
      moved &+= UInt64(result.raw)
      if result.raw < Self.bulk { isBulk = false }
      pipe = taken
    }
    let result = pipe?.drain(into: sink) ?? IOResult(raw: 0)
    if result.failed { return .failed }
    if let left = pipe, left.count == 0 {
      pipes.give(left)
      pipe = nil
    }
    return result.raw > 0 ? .moved : .waits
  }

  /// The connection is closing.
  func dropPipe(_ pipe: inout SplicePipe?) {
    if let dropped = pipe { pipes.give(dropped) }
    pipe = nil
  }
}
