/// How figures of a bundle's versions are measured, the same in a proxy and where they are summed up.
public enum BundleFigures {
  /// Bounds of latencies in nanoseconds: 0.1 ms × 2^i.
  public static let bounds: [UInt64] = (0..<22).map { 100_000 << UInt64($0) }
}

/// What was different in shadow mode: a few lines for people, until somebody takes them. Bounded; taken rarely.
public final class BundleDifferences: Sendable {
  /// Those of this process.
  public static let shared = BundleDifferences()

  public struct Place: Sendable, Hashable {
    public let filter: String
    public let digest: String

    public init(filter: String, digest: String) {
      self.filter = filter
      self.digest = digest
    }
  }

  private static let placeLimit = 100
  private static let lineLimit = 10
  private let lines = Locked<[Place: [String]]>([:])

  public init() {}

  /// Keeps a line, unless there are enough.
  public func add(_ line: String, at place: Place) {
    lines.withLock { lines in
      guard lines[place] != nil || lines.count < Self.placeLimit else { return }
      if lines[place, default: []].count < Self.lineLimit { lines[place, default: []].append(line) }
    }
  }

  /// Everything kept, which is forgotten.
  public func take() -> [Place: [String]] {
    lines.withLock { lines in
      defer { lines = [:] }
      return lines
    }
  }
}
