/// A version by Semantic Versioning 2.0.0, such as `1.4.0` or `2.0.0-beta.1+build.7`.
public struct SemanticVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let major: Int
  public let minor: Int
  public let patch: Int
  /// The identifiers after `-`; empty for a release.
  public let prerelease: [String]
  /// What stands after `+`; it has no part in the order.
  public let build: String

  public init(_ major: Int, _ minor: Int, _ patch: Int) {
    self.major = major
    self.minor = minor
    self.patch = patch
    prerelease = []
    build = ""
  }

  /// Reads a version; nil when `text` is none, or longer than 128 bytes.
  public init?(_ text: String) {
    guard text.utf8.count <= 128 else { return nil }
    let parts = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
    let core = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    let numbers = core[0].split(separator: ".", omittingEmptySubsequences: false).map(SemanticVersion.number)
    guard numbers.count == 3, let major = numbers[0], let minor = numbers[1], let patch = numbers[2] else { return nil }
    var prerelease: [String] = []
    if core.count == 2 {
      prerelease = core[1].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      let isNumeric = { (id: String) in id.utf8.allSatisfy { $0 &- 0x30 < 10 } }
      guard prerelease.allSatisfy({ Self.isIdentifier($0) && (!isNumeric($0) || Self.number($0[...]) != nil) }) else {
        return nil
      }
    }
    if parts.count == 2 {
      let identifiers = parts[1].split(separator: ".", omittingEmptySubsequences: false)
      guard identifiers.allSatisfy({ Self.isIdentifier(String($0)) }) else { return nil }
    }
    self.major = major
    self.minor = minor
    self.patch = patch
    self.prerelease = prerelease
    build = parts.count == 2 ? String(parts[1]) : ""
  }

  public var description: String {
    var text = "\(major).\(minor).\(patch)"
    if !prerelease.isEmpty { text += "-" + prerelease.joined(separator: ".") }
    if !build.isEmpty { text += "+" + build }
    return text
  }

  /// Precedence by section 11: a prerelease stands before its release, numeric identifiers before others.
  public static func < (a: SemanticVersion, b: SemanticVersion) -> Bool {
    if a.major != b.major { return a.major < b.major }
    if a.minor != b.minor { return a.minor < b.minor }
    if a.patch != b.patch { return a.patch < b.patch }
    if a.prerelease.isEmpty || b.prerelease.isEmpty { return !a.prerelease.isEmpty && b.prerelease.isEmpty }
    for (left, right) in zip(a.prerelease, b.prerelease) where left != right {
      switch (Int(left), Int(right)) {
      case (let l?, let r?): return l < r
      case (.some, nil): return true
      case (nil, .some): return false
      case (nil, nil): return Array(left.utf8).lexicographicallyPrecedes(Array(right.utf8))
      }
    }
    return a.prerelease.count < b.prerelease.count
  }

  private static func number(_ digits: Substring) -> Int? {
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }), digits == "0" || !digits.hasPrefix("0") else {
      return nil
    }
    return Int(digits)
  }

  private static func isIdentifier(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 || $0 == 0x2d }
  }
}
