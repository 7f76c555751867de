import WeftCrypto

/// Why certificates, keys or settings cannot be used: found when a configuration is compiled, never on a connection.
public struct TLSFault: Error, Equatable, Sendable, CustomStringConvertible {
  public let message: String

  public init(_ message: String) { self.message = message }

  /// A call of OpenSSL failed; empties its error queue.
  static func last(_ operation: String) -> TLSFault { TLSFault("\(CryptoError.last(operation))") }

  public var description: String { message }
}
