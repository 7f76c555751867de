/// What a peer can flood an HTTP/2 connection with. `rawValue` is what metrics call it.
public enum HTTP2Flood: String, Sendable, CaseIterable {
  case ping
  case settings
  case priority
  case windowUpdate = "window_update"
  /// DATA frames without data.
  case emptyData = "empty_data"
  /// Streams that are opened and reset at once (CVE-2023-44487).
  case resets
  /// CONTINUATION frames of one header section.
  case continuations
  /// Frames that must be answered, while the peer reads no answers.
  case replies
}

/// What the two sides of an HTTP/2 connection have told each other, as far as it is counted.
public struct HTTP2Signals: Sendable, Equatable {
  public var resetsReceived: UInt64 = 0
  public var resetsSent: UInt64 = 0
  public var goAwaysReceived: UInt64 = 0
  public var goAwaysSent: UInt64 = 0
  /// Why the connection is being ended, if the peer has flooded it.
  public var flood: HTTP2Flood?

  public init() {}
}
