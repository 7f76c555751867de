import WeftFilter

/// Messages between the tests' Lua and the bench.
enum MessageText {
  /// Header lines of a list of {name, value}.
  static func lines(_ fields: LuaValue) -> [String] {
    fields.items.map { "\($0[0].text ?? ""): \($0[1].text ?? "")" }
  }

  static func pieces(_ body: LuaValue) -> [[UInt8]] { body.items.compactMap(\.bytes) }

  static func value(_ fields: [FilterBenchMessage.Field]) -> LuaValue {
    .list(fields.map { .list([.text($0.name), .text($0.value)]) })
  }

  static func value(_ message: FilterBenchMessage) -> LuaValue {
    var fields: [(name: String, value: LuaValue)] = [
      ("headers", value(message.fields)), ("chunks", .list(message.pieces.map { .bytes($0) })),
      ("trailers", value(message.trailers)),
    ]
    if message.status != 0 {
      fields.append(("status", .integer(Int64(message.status))))
    } else {
      fields += [("method", .text(message.method)), ("path", .text(message.target))]
    }
    return .table(fields)
  }

  static func value(_ call: ServiceCall) -> LuaValue {
    let headers = call.headers.map { FilterBenchMessage.Field(name: $0.name, value: $0.value) }
    let name = call.service.name
    return .table([
      ("service", .text(name.hasPrefix("default/") ? String(name.dropFirst(8)) : name)),
      ("method", .text(call.method)), ("path", .text(call.target)), ("host", .text(call.authority)),
      ("headers", value(headers)), ("chunks", .list(call.body.isEmpty ? [] : [.bytes(call.body)])),
      ("timeout", .integer(Int64(call.timeout))),
    ])
  }

  // MARK: Metadata

  static func metadata(_ value: LuaValue) throws -> [String: MetadataValue] {
    guard case .table(let fields) = value else { return [:] }
    return Dictionary(fields.map { ($0.name, metadataValue($0.value)) }) { _, last in last }
  }

  private static func metadataValue(_ value: LuaValue) -> MetadataValue {
    switch value {
    case .none: .null
    case .bool(let flag): .bool(flag)
    case .integer(let number): .number(Double(number))
    case .number(let number): .number(number)
    case .bytes: .string(value.text ?? "")
    case .list(let items): .list(items.map(metadataValue))
    case .table(let fields):
      .object(Dictionary(fields.map { ($0.name, metadataValue($0.value)) }) { _, last in last })
    }
  }

  static func value(_ metadata: MetadataValue) -> LuaValue {
    switch metadata {
    case .null: .none
    case .bool(let flag): .bool(flag)
    case .number(let number): Int64(exactly: number).map { .integer($0) } ?? .number(number)
    case .string(let text): .text(text)
    case .list(let items): .list(items.map(value))
    case .object(let fields): value(fields)
    }
  }

  static func value(_ fields: [String: MetadataValue]) -> LuaValue {
    .table(fields.sorted { $0.key < $1.key }.map { ($0.key, value($0.value)) })
  }
}
