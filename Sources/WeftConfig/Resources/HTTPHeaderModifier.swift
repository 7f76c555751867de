/// Changes header fields: `set` replaces, `add` appends, `remove` takes away.
public struct HTTPHeaderModifier: Sendable, Hashable {
  public struct Field: Sendable, Hashable {
    public let name: String
    public let value: String
  }

  public let set: [Field]
  public let add: [Field]
  public let remove: [String]

  init(_ reader: ObjectReader) {
    set = HTTPHeaderModifier.fields(reader, "set")
    add = HTTPHeaderModifier.fields(reader, "add")
    remove = reader.strings("remove", count: Bounds.headers, .headerName)
  }

  private static func fields(_ reader: ObjectReader, _ list: String) -> [Field] {
    let fields = reader.objects(list, count: Bounds.headers) { reader in
      Field(name: reader.string("name", .headerName), value: reader.string("value", .length(1...4096), .headerValue))
    }
    return DistinctNames.keepFirst(fields, by: \.name, in: list, reader, ignoringCase: true)
  }
}
