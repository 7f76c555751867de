/// What one side of an HTTP/2 connection grants its peer, and how much of the protocol's own traffic it puts up with.
public struct HTTP2Settings: Sendable, Equatable {
  /// Streams that the peer may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS).
  public var maxConcurrentStreams: UInt32 = 100
  /// Bytes of one body that may be on their way or wait here (SETTINGS_INITIAL_WINDOW_SIZE): what a stalled stream can
  /// hold at the most.
  public var streamWindow: Int32 = 65_535
  /// Bytes of all bodies that may be on their way. They are granted anew as they arrive, so that a stalled stream holds
  /// up none but itself; together with `maxConcurrentStreams` and `streamWindow` the memory stays bounded.
  public var connectionWindow: Int32 = 1_048_576
  /// Bytes of one header section, counted as RFC 9113 6.5.2 says: names, values and 32 a field.
  public var maxHeaderListSize: UInt32 = 32_768
  /// Memory for the peer's compression context (SETTINGS_HEADER_TABLE_SIZE).
  public var headerTableSize: UInt32 = 4096
  /// Resets of streams that a peer may send at once, and that it earns anew a second.
  public var resetBurst: UInt64 = 200
  public var resetRate: UInt64 = 50
  /// CONTINUATION frames of one header section.
  public var maxContinuations = 8
  /// Frames that carry nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA) that a peer may send beyond those
  /// that its requests and bodies pay for.
  public var idleFrameBurst = 1000

  public init() {}
}
