import COpenSSL

/// What OpenSSL refused, in its own words.
public struct CryptoError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was attempted: `read the public key`.
  public let operation: String
  /// OpenSSL's reason, or an empty text where it gives none.
  public let reason: String

  public init(operation: String, reason: String = "") {
    self.operation = operation
    self.reason = reason
  }

  /// The error that OpenSSL queued last on this thread; empties the queue, so that no later call is blamed for it.
  public static func last(_ operation: String) -> CryptoError {
    let code = ERR_peek_last_error()
    ERR_clear_error()
    let reason = code == 0 ? nil : ERR_reason_error_string(code)
    return CryptoError(operation: operation, reason: reason.map { String(cString: $0) } ?? "")
  }

  public var description: String { reason.isEmpty ? "cannot \(operation)" : "cannot \(operation): \(reason)" }
}
