import WeftIO
import WeftRegex

/// Memory that route look-ups of one worker work in: made once, used by one look-up at a time.
struct RouteScratch: ~Copyable {
  /// Longest value that can be matched when it has to be put together or decoded first. Longer ones are refused, not
  /// matched by halves. No received head is longer.
  static let valueLimit = 32 * 1024
  /// Longest host; longer ones are matched by `*` only.
  static let hostLimit = HostPattern.lengthLimit

  let patterns: PatternScratch
  /// A host in lower case with room for the zero bytes that `WordHash.padded` wants.
  let host: MutableBytePointer
  /// `valueLimit` bytes for a header's joined fields.
  let header: MutableBytePointer
  /// `valueLimit` bytes for a decoded query parameter.
  let parameter: MutableBytePointer
  /// Table slots and entries that look-ups looked at: counted in debug builds only, for tests.
  let steps: UnsafeMutablePointer<Int>

  /// Throws when there is no memory for matching regular expressions.
  init() throws(PatternError) {
    patterns = try PatternScratch()
    host = .allocate(capacity: Self.hostLimit + 9)
    header = .allocate(capacity: Self.valueLimit)
    parameter = .allocate(capacity: Self.valueLimit)
    steps = .allocate(capacity: 1)
    steps.initialize(to: 0)
  }

  deinit {
    host.deallocate()
    header.deallocate()
    parameter.deallocate()
    steps.deallocate()
  }

  @inline(__always)
  func countStep() {
    assert(
      {
        steps.pointee &+= 1
        return true
      }())
  }
}
