import CPCRE2
import WeftIO

/// A compiled regular expression in PCRE2's syntax (`man pcre2syntax`), immutable and shared by all workers.
///
/// Matching allocates nothing and ends within the `PatternLimits` of the scratch that it is given, whatever pattern and
/// subject are.
public final class Pattern: Sendable {
  /// Bytes that a pattern may have.
  public static let lengthLimit = 16 * 1024
  /// Capturing groups that a pattern may have.
  public static let groupLimit = 63

  public let text: String
  public let anchoring: Anchoring
  public let options: Options
  /// Capturing groups in the pattern; group 0, the whole match, is not counted.
  public let groupCount: Int
  /// False where PCRE2 could not translate the pattern or the system forbids it: matching is then slower, no different.
  public let usesMachineCode: Bool
  /// PCRE2 only reads it after compilation, from any thread.
  nonisolated(unsafe) let code: OpaquePointer

  /// Compiles `text`.
  public init(_ text: String, anchoring: Anchoring = .whole, options: Options = []) throws(PatternError) {
    let code = try Pattern.compile(text, anchoring.flags | options.flags)
    var groups: UInt32 = 0
    let known = pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_CAPTURECOUNT), &groups) == 0
    if !known || groups > Pattern.groupLimit {
      pcre2_code_free_8(code)
      let message = "\(groups) capturing groups, of which there may be \(Pattern.groupLimit)"
      throw PatternError(text: text, message: message, offset: 0)
    }
    self.text = text
    self.anchoring = anchoring
    self.options = options
    self.code = code
    groupCount = Int(groups)
    // A failure is no error: the pattern is then interpreted. `(*NO_JIT)` succeeds and makes none.
    var size = 0
    let translated = pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE) == 0
    usesMachineCode = translated && pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_JITSIZE), &size) == 0 && size > 0
  }

  deinit { pcre2_code_free_8(code) }

  /// Whether the pattern matches `subject`, as its `anchoring` says.
  public func matches(_ subject: Bytes, scratch: borrowing PatternScratch) throws(PatternMatchError) -> Bool {
    try setGroups(subject, from: 0, scratch) > 0
  }

  /// The first match in `subject` at or after `from`, or nil.
  public func firstMatch(
    in subject: Bytes, from: Int = 0, scratch: borrowing PatternScratch
  ) throws(PatternMatchError) -> PatternMatch? {
    let n = try setGroups(subject, from: from, scratch)
    return n > 0 ? PatternMatch(offsets: scratch.offsets, setGroups: n, subject: subject) : nil
  }

  /// Bytes that the compiled pattern takes, its machine code included.
  public var memory: Int {
    // Both ask for a size and cannot fail for a compiled pattern; without machine code its size is 0.
    var code = 0
    var machineCode = 0
    _ = pcre2_pattern_info_8(self.code, UInt32(PCRE2_INFO_SIZE), &code)
    _ = pcre2_pattern_info_8(self.code, UInt32(PCRE2_INFO_JITSIZE), &machineCode)
    return code + machineCode
  }

  /// The number of the group called `name`, or nil.
  public func groupNumber(_ name: String) -> Int? {
    // A negative result is an error: no such name, or (with `(?J)`) several groups of that name.
    let n = pcre2_substring_number_from_name_8(code, name.utf8.map { $0 } + [0])
    return n > 0 ? Int(n) : nil
  }

  /// Groups set by the first match at or after `from`, the whole match included; 0 when there is none.
  @inline(__always)
  private func setGroups(
    _ subject: Bytes, from: Int, _ scratch: borrowing PatternScratch
  ) throws(PatternMatchError) -> Int {
    var clock = ScanClock(limit: scratch.limits.scanNanoseconds)
    return try setGroups(subject, from: from, scratch, &clock)
  }

  @inline(__always)
  func setGroups(
    _ subject: Bytes, from: Int, _ scratch: borrowing PatternScratch, _ clock: inout ScanClock
  ) throws(PatternMatchError) -> Int {
    if from < 0 || from > subject.count { return 0 }
    if anchoring == .anywhere { return try scan(subject, from: from, scratch, &clock) }
    // Sets a field and always returns 0; so do the other setters of a match context.
    _ = pcre2_set_match_limit_8(scratch.anchored, scratch.limits.stepLimit(subject.count))
    return try Pattern.setGroups(run(subject, from, scratch.data, scratch.anchored))
  }

  /// PCRE2's result. `start` must lie in `0...subject.count`.
  @inline(__always)
  func run(_ subject: Bytes, _ start: Int, _ data: OpaquePointer, _ context: OpaquePointer) -> Int32 {
    // The direct entry skips checks that hold here, among them that of UTF-8, which has to be made.
    if usesMachineCode && !options.contains(.utf8) {
      return pcre2_jit_match_8(code, subject.base, subject.count, start, 0, data, context)
    }
    return pcre2_match_8(code, subject.base, subject.count, start, 0, data, context)
  }

  @inline(__always)
  static func setGroups(_ result: Int32) throws(PatternMatchError) -> Int {
    if result > 0 { return Int(result) }
    if result == PCRE2_ERROR_NOMATCH { return 0 }
    throw failure(result)
  }

  private static func failure(_ result: Int32) -> PatternMatchError {
    switch result {
    case PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_DEPTHLIMIT: .stepLimit
    case PCRE2_ERROR_HEAPLIMIT, PCRE2_ERROR_JIT_STACKLIMIT, PCRE2_ERROR_NOMEMORY: .memoryLimit
    default: .engine(result)
    }
  }

  private static func compile(_ text: String, _ flags: UInt32) throws(PatternError) -> OpaquePointer {
    let utf8 = Array(text.utf8)
    if utf8.count > lengthLimit {
      let message = "\(utf8.count) bytes long, of which there may be \(lengthLimit)"
      throw PatternError(text: text, message: message, offset: lengthLimit)
    }
    var number: Int32 = 0
    var offset = 0
    if let code = pcre2_compile_8(utf8, utf8.count, flags, &number, &offset, nil) { return code }
    var buffer = [UInt8](repeating: 0, count: 256)
    // Negative when the message is cut short or the number unknown; the buffer then holds what fits.
    let length = pcre2_get_error_message_8(number, &buffer, buffer.count)
    let message =
      length >= 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "PCRE2 error \(number)"
    throw PatternError(text: text, message: message, offset: offset)
  }
}
