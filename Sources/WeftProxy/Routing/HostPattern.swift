import WeftIO

/// A hostname of a listener or a route, in the form that is looked up: `example.com` stands for itself, `.example.com`
/// is the wildcard `*.example.com` (one label or more before it), and nothing at all is `*`. In lower case.
struct HostPattern: Hashable, Sendable {
  let bytes: [UInt8]

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// nil when `text` is no hostname (RFC 1123, underscores allowed), IP address, wildcard or `*`.
  init?(_ text: String) {
    if text == "*" {
      bytes = []
      return
    }
    let lower = text.utf8.map(asciiLower)
    if let address = IPAddress(text.dropBrackets ?? ""),
      HostPattern.text(address) == String(decoding: lower, as: UTF8.self)
    {
      bytes = lower
      return
    }
    let isWildcard = lower.starts(with: [0x2a, 0x2e])
    bytes = isWildcard ? Array(lower.dropFirst()) : lower
    let labels = bytes[(isWildcard ? 1 : 0)...].split(separator: 0x2e, omittingEmptySubsequences: false)
    if bytes.count > HostPattern.lengthLimit || !labels.allSatisfy(HostPattern.isLabel) { return nil }
  }

  /// An address as a Host field has it, IPv6 between brackets and in its canonical form (RFC 5952).
  static func text(_ address: IPAddress) -> String { address.isV4 ? address.description : "[\(address)]" }

  /// Bytes of the longest DNS name.
  static let lengthLimit = 253

  var isAny: Bool { bytes.isEmpty }
  var isWildcard: Bool { bytes.first == 0x2e }
  var isExact: Bool { !isAny && !isWildcard }

  /// As it stands in configuration.
  var text: String { isExact ? String(decoding: bytes, as: UTF8.self) : "*" + String(decoding: bytes, as: UTF8.self) }

  /// Every wildcard that covers this one or this name, the most specific first; `*` last.
  var generalisations: [HostPattern] {
    if isAny { return [] }
    let dots = bytes.indices.dropFirst().filter { bytes[$0] == 0x2e }
    return dots.map { HostPattern(Array(bytes[$0...])) } + [HostPattern([])]
  }

  /// Whether each host that `other` matches is one that this matches.
  func covers(_ other: HostPattern) -> Bool { other == self || other.generalisations.contains(self) }

  /// Whether a request for the host `name`, in lower case, without port and final dot, is meant.
  func matches(_ name: [UInt8]) -> Bool {
    if isAny { return true }
    if name.count > HostPattern.lengthLimit { return false }
    return isExact ? name == bytes : name.count > bytes.count && name.suffix(bytes.count).elementsEqual(bytes)
  }

  /// Whether this is to be tried before `other` when both match: a name before a wildcard, a longer wildcard before a
  /// shorter one, `*` last.
  func isMoreSpecific(than other: HostPattern) -> Bool {
    if isExact != other.isExact { return isExact }
    return bytes.count > other.bytes.count
  }

  /// Letters, digits, `-` and `_`.
  private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
    !label.isEmpty && label.count <= 63
      && label.allSatisfy { asciiLower($0) &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 == 0x2d || $0 == 0x5f }
  }
}

extension String {
  /// What stands between `[` and `]`; nil when that is not all of it.
  fileprivate var dropBrackets: String? { hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : nil }
}

/// The host that a request names.
enum RequestHost {
  /// The length of the name in a Host field's value, without port and without the dot that ends a fully qualified name.
  @inline(__always)
  static func nameLength(_ field: Bytes) -> Int {
    var n = field.count
    while n > 0 && field[n &- 1] &- 0x30 < 10 { n &-= 1 }
    n = n > 0 && field[n &- 1] == 0x3a ? n &- 1 : field.count
    return n > 1 && field[n &- 1] == 0x2e ? n &- 1 : n
  }
}
