import WeftIO
import WeftRegex

/// What is run, and how.
public struct TestOptions: Sendable {
  /// Found anywhere in the names of the tests to run; nil: all.
  public var filter: Pattern?
  /// Stop after the first failure.
  public var failsFast = false
  /// Count the lines that run.
  public var countsLines = false
  /// Nanoseconds of processor time that one test may use.
  public var cpu: UInt64 = 5_000_000_000

  public init() {}

  func selects(_ name: String) -> Bool {
    guard let filter else { return true }
    let owned = OwnedBytes(name)
    do {
      let scratch = try PatternScratch()
      return try filter.matches(owned.bytes, scratch: scratch)
    } catch {
      // Names are short: a pattern that finds no end with them is none to go by.
      return true
    }
  }
}
