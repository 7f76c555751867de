import CLuaHost
import WeftBundle
import WeftFilter
import WeftIO

/// Values on their way to and from Lua, in the bytes that the host's `tape.c` describes.
struct ValueTape {
  private(set) var bytes: [UInt8] = []

  mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  mutating func append(_ value: SettingsValue) {
    switch value {
    case .null: bytes.append(UInt8(ascii: "n"))
    case .bool(let flag): bytes.append(flag ? UInt8(ascii: "t") : UInt8(ascii: "f"))
    case .integer(let number): append(UInt8(ascii: "i"), UInt64(bitPattern: Int64(number)))
    case .number(let number): append(UInt8(ascii: "d"), number.bitPattern)
    case .string(let text): append(text)
    case .array(let items):
      append(UInt8(ascii: "a"), count: items.count)
      for item in items { append(item) }
    case .object(let fields):
      append(UInt8(ascii: "o"), count: fields.count)
      for field in fields {
        append(name: field.name)
        append(field.value)
      }
    }
  }

  /// A list of two: a value, and bytes as a string; null for none.
  mutating func append(pairOf first: SettingsValue, body: [UInt8]) {
    append(UInt8(ascii: "a"), count: 2)
    append(first)
    if body.isEmpty {
      bytes.append(UInt8(ascii: "n"))
    } else {
      append(UInt8(ascii: "s"), count: body.count)
      bytes.append(contentsOf: body)
    }
  }

  mutating func append(_ value: MetadataValue) {
    switch value {
    case .null: bytes.append(UInt8(ascii: "n"))
    case .bool(let flag): bytes.append(flag ? UInt8(ascii: "t") : UInt8(ascii: "f"))
    case .number(let number):
      // Metadata knows no integers; scripts do, and print them without a fraction.
      if let whole = Int64(exactly: number), abs(number) < 9_007_199_254_740_992 {
        append(UInt8(ascii: "i"), UInt64(bitPattern: whole))
      } else {
        append(UInt8(ascii: "d"), number.bitPattern)
      }
    case .string(let text): append(text)
    case .list(let items):
      append(UInt8(ascii: "a"), count: items.count)
      for item in items { append(item) }
    case .object(let fields): append(fields)
    }
  }

  mutating func append(_ fields: [String: MetadataValue]) {
    append(UInt8(ascii: "o"), count: fields.count)
    for (name, value) in fields {
      append(name: name)
      append(value)
    }
  }

  mutating func append(_ namespaces: [String: [String: MetadataValue]]) {
    append(UInt8(ascii: "o"), count: namespaces.count)
    for (name, fields) in namespaces {
      append(name: name)
      append(fields)
    }
  }

  private mutating func append(_ text: String) {
    bytes.append(UInt8(ascii: "s"))
    append(name: text)
  }

  mutating func append(name: String) {
    append(count: name.utf8.count)
    bytes.append(contentsOf: name.utf8)
  }

  /// The beginning of an object; so many names and values follow.
  mutating func append(objectOf count: Int) { append(UInt8(ascii: "o"), count: count) }

  mutating func append(integer: Int64) { append(UInt8(ascii: "i"), UInt64(bitPattern: integer)) }

  mutating func append(bytes text: [UInt8]) {
    append(UInt8(ascii: "s"), count: text.count)
    bytes.append(contentsOf: text)
  }

  /// A list of strings.
  mutating func append(strings: [[UInt8]]) {
    append(UInt8(ascii: "a"), count: strings.count)
    for text in strings { append(bytes: text) }
  }

  private mutating func append(_ tag: UInt8, count: Int) {
    bytes.append(tag)
    append(count: count)
  }

  private mutating func append(count: Int) {
    withUnsafeBytes(of: UInt32(clamping: count)) { bytes.append(contentsOf: $0) }
  }

  private mutating func append(_ tag: UInt8, _ bits: UInt64) {
    bytes.append(tag)
    withUnsafeBytes(of: bits) { bytes.append(contentsOf: $0) }
  }
}

/// Reads a tape that Lua wrote.
struct ValueTapeReader {
  private let tape: Bytes
  private var at = 0

  init(_ tape: Bytes) { self.tape = tape }

  /// The value, or nil when the tape is garbled.
  static func value(_ tape: Bytes) -> MetadataValue? {
    var reader = ValueTapeReader(tape)
    return reader.value(depth: 0)
  }

  private mutating func value(depth: Int) -> MetadataValue? {
    guard depth <= 64, at < tape.count else { return nil }
    let tag = tape[at]
    at += 1
    switch tag {
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "t"): return .bool(true)
    case UInt8(ascii: "f"): return .bool(false)
    case UInt8(ascii: "i"): return load(UInt64.self).map { .number(Double(Int64(bitPattern: $0))) }
    case UInt8(ascii: "d"): return load(UInt64.self).map { .number(Double(bitPattern: $0)) }
    case UInt8(ascii: "s"): return text().map { .string($0) }
    case UInt8(ascii: "a"):
      guard let count = load(UInt32.self) else { return nil }
      var items: [MetadataValue] = []
      for _ in 0..<count {
        guard let item = value(depth: depth + 1) else { return nil }
        items.append(item)
      }
      return .list(items)
    case UInt8(ascii: "o"):
      guard let count = load(UInt32.self) else { return nil }
      var fields: [String: MetadataValue] = [:]
      for _ in 0..<count {
        guard let name = text(), let field = value(depth: depth + 1) else { return nil }
        fields[name] = field
      }
      return .object(fields)
    default: return nil
    }
  }

  private mutating func text() -> String? {
    guard let count = load(UInt32.self), Int(count) <= tape.count - at else { return nil }
    defer { at += Int(count) }
    return tape.slice(at, at + Int(count)).string
  }

  private mutating func load<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    let size = MemoryLayout<T>.size
    guard size <= tape.count - at else { return nil }
    defer { at += size }
    return UnsafeRawPointer(tape.base + at).loadUnaligned(as: type)
  }
}
