import WeftIO

/// Walks a field value that is a list separated by commas (RFC 9110 5.6.1): its elements without the white space around
/// them, empty ones included. Quoted strings are not understood: only for lists of tokens.
struct ListValue {
  private let value: Bytes
  private var at = 0

  init(_ value: Bytes) { self.value = value }

  mutating func next() -> Bytes? {
    if at > value.count { return nil }
    let end = value.firstIndex(of: 0x2c, from: at) ?? value.count
    let element = value.slice(at, end).trimmed
    at = end &+ 1
    return element
  }
}
