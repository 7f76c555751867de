/// A value that a filter cannot be made with. Decoding reports it with its place in the file.
public struct InvalidFilterValue: Error, Equatable, CustomStringConvertible {
  /// What is wrong, and what to do about it.
  public let description: String

  public init(_ description: String) { self.description = description }
}
