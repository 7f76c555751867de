import WeftIO

/// Where a pattern matched. Valid until the next match with the same `PatternScratch`, and as long as the subject is.
public struct PatternMatch {
  let offsets: UnsafePointer<Int>
  /// Groups that may be set, the whole match included; those from here on are not.
  let setGroups: Int
  public let subject: Bytes

  /// The bytes that the whole pattern matched.
  public var bytes: Bytes { self[0] ?? Bytes() }

  /// The bytes that group `group` matched, 0 being the whole pattern; nil when it took no part or does not exist.
  public subscript(group: Int) -> Bytes? {
    guard let r = range(group) else { return nil }
    return Bytes(subject.base + r.lowerBound, r.count)
  }

  /// The same as offsets into the subject.
  public func range(_ group: Int) -> Range<Int>? {
    if group < 0 || group >= setGroups { return nil }
    let start = offsets[2 &* group]
    let end = offsets[2 &* group &+ 1]
    // A group that took no part has both at -1 (PCRE2_UNSET).
    if start < 0 || end < start || end > subject.count { return nil }
    return start..<end
  }
}
