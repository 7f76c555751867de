import CPCRE2

/// Bounds for one match, so that no pattern and no subject holds up its worker.
///
/// With the defaults, hostile ones that only backtrack end within a millisecond; those that also scan a long subject at
/// each step (8 KB of it) end within some 15 ms. Without machine code (see `Pattern.usesMachineCode`) it is ten times
/// that.
public struct PatternLimits: Sendable {
  /// Backtracking steps, as PCRE2 counts them (`pcre2_set_match_limit`).
  public var steps = 100_000
  /// Steps times bytes of the subject: lowers `steps` for a long subject, because one step may read all of it.
  public var work = 200_000_000
  /// Memory for backtracking without machine code.
  public var heapBytes = 1024 * 1024
  /// Memory for backtracking with machine code; taken only when a match needs it.
  public var stackBytes = 256 * 1024
  /// Processor time for finding a match anywhere in a subject, and for all of a replacement.
  public var scanNanoseconds: Int64 = 10_000_000

  public init() {}

  func stepLimit(_ count: Int) -> UInt32 {
    UInt32(clamping: min(steps, max(work / (count &+ 1), 1000)))
  }
}

/// Memory that matching needs: made once for each worker, used by one match at a time.
public struct PatternScratch: ~Copyable {
  public let limits: PatternLimits
  let data: OpaquePointer
  /// Pairs of start and end, one for each group, the whole match first; lives as long as `data`.
  let offsets: UnsafePointer<Int>
  let anchored: OpaquePointer
  /// A context of its own for `.anywhere`: PCRE2 refuses an offset limit for patterns compiled without that option.
  let scanning: OpaquePointer
  let stack: OpaquePointer?

  /// Throws when there is no memory.
  public init(limits: PatternLimits = PatternLimits()) throws(PatternError) {
    let data = pcre2_match_data_create_8(UInt32(Pattern.groupLimit &+ 1), nil)
    let anchored = pcre2_match_context_create_8(nil)
    let scanning = pcre2_match_context_create_8(nil)
    guard let data, let anchored, let scanning, let offsets = pcre2_get_ovector_pointer_8(data) else {
      pcre2_match_context_free_8(anchored)
      pcre2_match_context_free_8(scanning)
      pcre2_match_data_free_8(data)
      throw PatternError(text: "", message: "no memory for matching", offset: 0)
    }
    // Without a stack of its own, machine code gets 32 KB of the thread's.
    let stack = pcre2_jit_stack_create_8(min(32 * 1024, limits.stackBytes), limits.stackBytes, nil)
    for context in [anchored, scanning] {
      // These three set a field and always return 0.
      _ = pcre2_set_heap_limit_8(context, UInt32(clamping: limits.heapBytes / 1024))
      _ = pcre2_set_depth_limit_8(context, UInt32(clamping: limits.steps))
      _ = pcre2_set_match_limit_8(context, UInt32(clamping: limits.steps))
      if let stack { pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack)) }
    }
    self.limits = limits
    self.data = data
    self.offsets = UnsafePointer(offsets)
    self.anchored = anchored
    self.scanning = scanning
    self.stack = stack
  }

  deinit {
    pcre2_match_data_free_8(data)
    pcre2_match_context_free_8(anchored)
    pcre2_match_context_free_8(scanning)
    if let stack { pcre2_jit_stack_free_8(stack) }
  }
}
