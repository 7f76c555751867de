import WeftBundle
import WeftConfig
import WeftIO

/// A value on its way to or from the tests' Lua state. Its form in bytes is that of the host's `tape.c`.
enum LuaValue {
  case none
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  /// A Lua string, which is bytes.
  case bytes([UInt8])
  case list([LuaValue])
  case table([(name: String, value: LuaValue)])

  static func text(_ text: String) -> LuaValue { .bytes(Array(text.utf8)) }
  static func text(_ text: String?) -> LuaValue { text.map { .text($0) } ?? .none }

  // MARK: Reading

  subscript(name: String) -> LuaValue {
    guard case .table(let fields) = self else { return .none }
    return fields.first { $0.name == name }?.value ?? .none
  }

  subscript(index: Int) -> LuaValue {
    let items = items
    return items.indices.contains(index) ? items[index] : .none
  }

  /// The elements of a list. An empty Lua table is an empty list, too.
  var items: [LuaValue] {
    guard case .list(let items) = self else { return [] }
    return items
  }

  var isNone: Bool {
    if case .none = self { true } else { false }
  }

  var bytes: [UInt8]? {
    if case .bytes(let bytes) = self { bytes } else { nil }
  }

  /// A string, with what is no UTF-8 in it replaced.
  var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

  var isTrue: Bool {
    if case .bool(true) = self { true } else { false }
  }

  var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// A whole number, written with a fraction or without.
  var integer: Int? {
    switch self {
    case .integer(let value): Int(value)
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
}

extension LuaValue {
  // MARK: As a tape

  var tape: [UInt8] {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return bytes
  }

  private func write(to bytes: inout [UInt8]) {
    func put(_ tag: Unicode.Scalar, _ bits: UInt64) {
      bytes.append(UInt8(ascii: tag))
      withUnsafeBytes(of: bits) { bytes.append(contentsOf: $0) }
    }
    func put(_ count: Int) { withUnsafeBytes(of: UInt32(clamping: count)) { bytes.append(contentsOf: $0) } }
    switch self {
    case .none: bytes.append(UInt8(ascii: "n"))
    case .bool(let value): bytes.append(UInt8(ascii: value ? "t" : "f"))
    case .integer(let value): put("i", UInt64(bitPattern: value))
    case .number(let value): put("d", value.bitPattern)
    case .bytes(let value):
      bytes.append(UInt8(ascii: "s"))
      put(value.count)
      bytes.append(contentsOf: value)
    case .list(let items):
      bytes.append(UInt8(ascii: "a"))
      put(items.count)
      for item in items { item.write(to: &bytes) }
    case .table(let fields):
      bytes.append(UInt8(ascii: "o"))
      put(fields.count)
      for field in fields {
        put(field.name.utf8.count)
        bytes.append(contentsOf: field.name.utf8)
        field.value.write(to: &bytes)
      }
    }
  }

  /// Reads a tape; what is garbled reads as nothing.
  init(tape: Bytes) {
    var reader = Reader(tape: tape)
    self = reader.value(depth: 0) ?? .none
  }

  init(tape: [UInt8]) {
    let owned = OwnedBytes(tape)
    self.init(tape: owned.bytes)
    withExtendedLifetime(owned) {}
  }

  private struct Reader {
    let tape: Bytes
    var at = 0

    mutating func value(depth: Int) -> LuaValue? {
      guard depth < 64, at < tape.count else { return nil }
      let tag = tape[at]
      at += 1
      switch tag {
      case UInt8(ascii: "t"): return .bool(true)
      case UInt8(ascii: "f"): return .bool(false)
      case UInt8(ascii: "i"): return load(UInt64.self).map { .integer(Int64(bitPattern: $0)) }
      case UInt8(ascii: "d"): return load(UInt64.self).map { .number(Double(bitPattern: $0)) }
      case UInt8(ascii: "s"): return bytes().map { .bytes($0) }
      case UInt8(ascii: "a"):
        guard let count = load(UInt32.self) else { return nil }
        var items: [LuaValue] = []
        for _ in 0..<count {
          guard let item = value(depth: depth + 1) else { return nil }
          items.append(item)
        }
        return .list(items)
      case UInt8(ascii: "o"):
        guard let count = load(UInt32.self) else { return nil }
        var fields: [(name: String, value: LuaValue)] = []
        for _ in 0..<count {
          guard let name = bytes(), let field = value(depth: depth + 1) else { return nil }
          fields.append((String(decoding: name, as: UTF8.self), field))
        }
        return .table(fields)
      default: return LuaValue.none
      }
    }

    private mutating func bytes() -> [UInt8]? {
      guard let count = load(UInt32.self), Int(count) <= tape.count - at else { return nil }
      defer { at += Int(count) }
      return tape.slice(at, at + Int(count)).array
    }

    private mutating func load<T: FixedWidthInteger>(_ type: T.Type) -> T? {
      let size = MemoryLayout<T>.size
      guard size <= tape.count - at else { return nil }
      defer { at += size }
      return UnsafeRawPointer(tape.base + at).loadUnaligned(as: type)
    }
  }
}

extension LuaValue {
  /// As JSON, for what is decoded as configuration. An empty table is an object.
  var json: String {
    switch self {
    case .none: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): value.isFinite ? "\(value)" : "null"
    case .bytes(let value): JSONText.quote(String(decoding: value, as: UTF8.self))
    case .list(let items): "[" + items.map(\.json).joined(separator: ",") + "]"
    case .table(let fields):
      "{" + fields.map { JSONText.quote($0.name) + ":" + $0.value.json }.joined(separator: ",") + "}"
    }
  }
}

extension LuaValue {
  /// As JSON for settings: an empty table is what the schema expects, a list or an object.
  func json(_ schema: SettingsSchema?) -> String {
    guard let schema else { return json }
    switch self {
    case .table(let fields):
      if fields.isEmpty && schema.kind == .array { return "[]" }
      return "{"
        + fields.map { field in
          let inner = schema.properties.first { $0.name == field.name }?.schema ?? schema.additionalSchema
          return JSONText.quote(field.name) + ":" + field.value.json(inner)
        }.joined(separator: ",") + "}"
    case .list(let items): return "[" + items.map { $0.json(schema.items) }.joined(separator: ",") + "]"
    default: return json
    }
  }
}

extension SettingsSchema {
  fileprivate var additionalSchema: SettingsSchema? {
    if case .matching(let schema) = additional { schema } else { nil }
  }
}
