import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// Changes to the header fields of a message: what `remove` names goes, then `set` replaces, then `add` appends.
public struct HeaderChanges: Sendable {
  /// A field to be written.
  public struct Field: Sendable {
    public let name: HeaderName
    public let value: ValueTemplate

    /// A field whose value is taken as it stands.
    /// - Throws: when the name is no field name, the value is no field value, or the field is the proxy's own.
    public init(name: String, value: String) throws(InvalidFilterValue) {
      self.name = try HeaderChanges.name(name)
      let bytes = OwnedBytes(value)
      guard HeaderTable.isFieldValue(bytes.bytes) else {
        throw InvalidFilterValue("\"\(name)\" has a value with control characters")
      }
      if self.name.known == .host { try HeaderChanges.checkHost(value) }
      self.value = ValueTemplate(literal: value)
    }

    /// A field whose value may hold operators.
    /// - Parameter inResponse: whether there is a response when the field is written.
    public init(name: String, template: String, inResponse: Bool) throws(InvalidFilterValue) {
      self.name = try HeaderChanges.name(name)
      value = try ValueTemplate(template, inResponse: inResponse)
      if self.name.known == .host { try HeaderChanges.checkHost(template) }
    }

    /// Reads `name` and `value`; nil when one of them is wrong, which is reported.
    init?(_ reader: ObjectReader, inResponse: Bool) throws {
      let name = reader.string("name", .headerName)
      let value = reader.string("value", .length(1...4096), .headerValue)
      if name.isEmpty || value.isEmpty { return nil }
      try self.init(name: name, template: value, inResponse: inResponse)
    }
  }

  public let set: [Field]
  public let add: [Field]
  public let remove: [HeaderName]

  public var isEmpty: Bool { self.set.isEmpty && add.isEmpty && remove.isEmpty }

  /// - Throws: when a field that is set or removed stands twice, or a field that needs to be there once is added to or
  ///   removed.
  public init(set: [Field] = [], add: [Field] = [], remove: [String] = []) throws(InvalidFilterValue) {
    self.set = set
    self.add = add
    var removed: [HeaderName] = []
    for text in remove { removed.append(try HeaderChanges.name(text)) }
    self.remove = removed
    if (add.map(\.name) + removed).contains(where: { $0.known == .host }) {
      throw InvalidFilterValue("a request has exactly one \"host\"; it can be set, but not added to or removed")
    }
    // Adding several values to one field is fine; anything else done twice is a contradiction.
    let added = Set(add.map { $0.name.bytes.string })
    var seen = added
    for name in (set.map(\.name) + removed).map(\.bytes.string) where !seen.insert(name).inserted {
      throw InvalidFilterValue("\"\(name)\" is changed twice; keep one of set, add and remove for it")
    }
  }

  /// Reads `set`, `add` and `remove`; mistakes are reported.
  init?(_ reader: ObjectReader, inResponse: Bool) {
    func fields(_ list: String) -> [Field] {
      reader.objects(list, count: 0...HeaderChanges.limit) { try Field($0, inResponse: inResponse) }.compactMap(\.self)
    }
    let before = reader.hasErrors
    let set = fields("set")
    let add = fields("add")
    let remove = reader.strings("remove", count: 0...HeaderChanges.limit, .headerName)
    if reader.hasErrors && !before { return nil }
    do {
      try self.init(set: set, add: add, remove: remove)
    } catch {
      reader.error(nil, error.description)
      return nil
    }
  }

  /// Fields that one list may have.
  static let limit = 64

  /// Fields that frame the message or belong to the connection: the proxy's own (RFC 9110 7.6.1, RFC 9112 6).
  private static let reserved: Set<String> = [
    "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",
  ]

  private static func name(_ text: String) throws(InvalidFilterValue) -> HeaderName {
    guard let name = HeaderName(text) else { throw InvalidFilterValue("\"\(text)\" is no header name") }
    if reserved.contains(name.bytes.string) {
      throw InvalidFilterValue("\"\(text)\" is the proxy's own and cannot be changed")
    }
    return name
  }

  /// What a Host is made of must be known beforehand: servers differ in what they make of a strange one.
  private static func checkHost(_ text: String) throws(InvalidFilterValue) {
    let isHost = text.utf8.allSatisfy { c in
      c &- 0x30 < 10 || (c | 0x20) &- 0x61 < 26 || c == 0x2d || c == 0x2e || c == 0x3a || c == 0x5b || c == 0x5d
    }
    if text.isEmpty || !isHost {
      throw InvalidFilterValue("\"\(text)\" is no host; write a name or address, perhaps with a port")
    }
  }
}
