import WeftHTTP
import WeftIO

/// Header fields that are lists separated by commas (RFC 9110 5.6.1), over all lines of their name.
enum FieldList {
  /// Walks the elements of one line, without the white space around them. Quoted strings are not understood.
  struct Elements {
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

  /// Whether one of the elements is `token` (in lower case), case ignored.
  static func contains(_ table: borrowing HeaderTable, _ name: HeaderName, _ token: Bytes) -> Bool {
    var line = table.find(name)
    while let i = line {
      var elements = Elements(table.value(at: i))
      while let element = elements.next() {
        if element.equalsIgnoringCase(token) { return true }
      }
      line = table.find(name, from: i &+ 1)
    }
    return false
  }

  private static let vary = HeaderName("vary")

  /// Adds `field` to Vary, unless it is there already or Vary is `*` (RFC 9110 12.5.5).
  /// - Parameter lower: the same in lower case.
  static func addVary(_ table: inout HeaderTable, _ field: Bytes, lower: Bytes) {
    if contains(table, vary, lower) || contains(table, vary, Bytes("*")) { return }
    table.add(vary, field)
  }
}
