/// Why a stream or a connection ends (RFC 9113 7).
public enum HTTP2ErrorCode: UInt32, Sendable {
  case noError = 0
  case protocolError = 1
  case internalError = 2
  case flowControlError = 3
  case settingsTimeout = 4
  case streamClosed = 5
  case frameSizeError = 6
  /// The stream was not looked at: its request may be sent again (RFC 9113 8.7).
  case refusedStream = 7
  case cancel = 8
  case compressionError = 9
  case connectError = 10
  /// The peer asks for more work than its requests are worth.
  case enhanceYourCalm = 11
  case inadequateSecurity = 12
  case http11Required = 13
}
