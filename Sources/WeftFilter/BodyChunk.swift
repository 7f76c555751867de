import WeftIO

/// A piece of a body on its way through the chain.
public struct BodyChunk: ~Copyable {
  /// The bytes: borrowed, valid during the call.
  public private(set) var bytes: Bytes
  /// No more body follows (trailers may).
  public let isLast: Bool
  /// True once a filter has replaced the bytes.
  public private(set) var isReplaced = false

  // Two stores in turn, because a replacement is often made from the bytes that it replaces.
  private let stores: UnsafeMutablePointer<BodyScratch>

  package init(_ bytes: Bytes, isLast: Bool, stores: UnsafeMutablePointer<BodyScratch>) {
    self.bytes = bytes
    self.isLast = isLast
    self.stores = stores
  }

  /// Replaces the bytes by a copy of `replacement`, which may lie in the old ones; empty bytes swallow the piece.
  /// - Returns: false, and nothing changed, beyond 16 MiB.
  @discardableResult
  public mutating func replace(with replacement: Bytes) -> Bool {
    guard let copy = stores.pointee.store(replacement) else { return false }
    bytes = copy
    isReplaced = true
    return true
  }
}

/// The memory of replaced pieces; one per worker.
package struct BodyScratch: ~Copyable {
  private var even = GrowableBytes()
  private var odd = GrowableBytes()
  private var useOdd = false
  package static let limit = 16 * 1024 * 1024

  package init() {}

  mutating func store(_ b: Bytes) -> Bytes? {
    useOdd.toggle()
    if useOdd { return odd.assign(b, limit: Self.limit) ? odd.bytes : nil }
    return even.assign(b, limit: Self.limit) ? even.bytes : nil
  }

  /// Gives large memory back between exchanges.
  package mutating func reset() {
    even.reset()
    odd.reset()
  }
}
