/// How much of a head is accepted. A head must fit a connection's buffer, so no limit goes beyond 32 KiB.
public struct HTTPLimits: Sendable, Equatable {
  /// Bytes of a request line with its CRLF; beyond it 414.
  public var maxRequestLine: Int
  /// Bytes of a whole head with its empty line; beyond it 431.
  public var maxHeadBytes: Int
  /// Field lines of one head; beyond it 431. `HeaderTable.fieldLimit` bounds it too.
  public var maxFields: Int

  public init(maxRequestLine: Int = 8 * 1024, maxHeadBytes: Int = 16 * 1024, maxFields: Int = 100) {
    self.maxRequestLine = maxRequestLine
    self.maxHeadBytes = maxHeadBytes
    self.maxFields = maxFields
  }

  /// What no limit may exceed, whatever was configured: offsets and lengths of names are 16 bits wide.
  @usableFromInline static var ceiling: Int { 32 * 1024 }

  @inlinable @inline(__always) var headLimit: Int { min(maxHeadBytes, Self.ceiling) }
}
