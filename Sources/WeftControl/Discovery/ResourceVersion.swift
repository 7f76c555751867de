import Crypto
import Foundation

/// The version of a resource as proxies know it: the first half of the SHA-256 of its body, so that equal versions mean
/// equal bodies at every replica and after every restart.
struct ResourceVersion: Sendable, Hashable {
  private let high: UInt64
  private let low: UInt64

  init(body: [UInt8]) {
    var digest = SHA256.hash(data: body).makeIterator()
    func next() -> UInt64 { (0..<8).reduce(UInt64(0)) { value, _ in value << 8 | UInt64(digest.next() ?? 0) } }
    high = next()
    low = next()
  }

  /// nil for what is no version; it equals none then.
  init?(_ text: String) {
    guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
      let low = UInt64(text.suffix(16), radix: 16)
    else { return nil }
    self.high = high
    self.low = low
  }

  /// 32 hexadecimal digits.
  var text: String {
    func digits(_ value: UInt64) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
    return digits(high) + digits(low)
  }
}
