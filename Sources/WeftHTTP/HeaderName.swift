import CLinux
import Synchronization
import WeftIO

/// A field name for look-ups and additions, in lower case, made once from configuration or a literal.
///
/// Trivial to copy. The text of names made at run time is interned for the life of the process: the number of names
/// that configuration ever mentions is small, and a name must outlive every filter and exchange that uses it.
@frozen
public struct HeaderName: Sendable {
  public let bytes: Bytes
  public let known: KnownHeader

  /// A literal, which must be a lower-case token.
  public init(_ literal: StaticString) {
    bytes = Bytes(literal)
    known = KnownHeader.classify(bytes.base, bytes.count)
  }

  /// A name from configuration or a script, folded to lower case.
  /// - Returns: nil when `text` is no token (RFC 9110 5.6.2) or longer than 256 bytes.
  @_disfavoredOverload  // a literal is the other one
  public init?(_ text: String) {
    let lower = text.utf8.map(asciiLower)
    if lower.isEmpty || lower.count > 256 || !lower.allSatisfy({ cl_is_token($0) != 0 }) { return nil }
    let owned = HeaderName.interned.withLock { table in
      if let known = table[lower] { return known }
      let made = OwnedBytes(lower)
      table[lower] = made
      return made
    }
    bytes = owned.bytes
    known = KnownHeader.classify(bytes.base, bytes.count)
  }

  private static let interned = Mutex<[[UInt8]: OwnedBytes]>([:])
}
