/// Why a key, certificate, signing request or token cannot be used. The text names what is wrong and the way out.
public struct IdentityError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
