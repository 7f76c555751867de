import Foundation

/// JSON that a test looks into.
struct JSONValue: @unchecked Sendable, CustomStringConvertible {
  // Unchecked: what JSONSerialization makes is never changed.
  private let value: Any?

  init(_ text: String) throws {
    value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
  }

  private init(_ value: Any?) { self.value = value }

  /// A member; nothing when there is none.
  subscript(name: String) -> JSONValue { JSONValue((value as? [String: Any])?[name]) }
  subscript(index: Int) -> JSONValue {
    let list = value as? [Any] ?? []
    return JSONValue(list.indices.contains(index) ? list[index] : nil)
  }

  var list: [JSONValue] { (value as? [Any] ?? []).map { JSONValue($0) } }
  var string: String? { value as? String }
  var int: Int? { (value as? NSNumber)?.intValue }
  var number: Double? { (value as? NSNumber)?.doubleValue }
  var bool: Bool? { (value as? NSNumber)?.boolValue }
  var isNull: Bool { value == nil || value is NSNull }
  var description: String { value.map { "\($0)" } ?? "nothing" }
}
