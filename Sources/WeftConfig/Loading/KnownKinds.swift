/// The kinds that Weft reads.
public enum KnownKinds {
  public struct Entry: Sendable, Hashable {
    public let kind: ResourceKind
    /// Versions of its group; the first one is preferred. A resource has the same fields in each.
    public let versions: [String]
    public let isNamespaced: Bool
  }

  /// By group and kind.
  public static let all: [Entry] = ResourceDecoder.knownKinds
}
