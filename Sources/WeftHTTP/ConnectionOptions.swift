import WeftIO

/// Connection, and the fields that belong to one connection only (RFC 9110 7.6.1, 7.8, 10.1.4).
enum ConnectionOptions {
  /// Options that one field may have: more is no use, and each is looked for among all fields.
  static let limit = 32

  /// What one Connection field says.
  static func read(_ value: Bytes) -> FieldFindings.Marks {
    if let one = option(value) { return one }
    var marks: FieldFindings.Marks = []
    var list = ListValue(value)
    var count = 0
    while let element = list.next() {
      if element.isEmpty { continue }
      count &+= 1
      if count > limit { return .connectionInvalid }
      if let one = option(element) {
        marks.formUnion(one)
      } else if HeaderTable.isFieldName(element) {
        marks.insert(.namesFields)
      } else {
        return .connectionInvalid
      }
    }
    return marks
  }

  @inline(__always)
  private static func option(_ token: Bytes) -> FieldFindings.Marks? {
    if token.count == 5 {
      return KnownHeader.shortKey(token.base, 5) == KnownHeader.shortKey("close") ? .close : nil
    }
    // These options are also names of fields. Of the bytes that a value may have, case folding maps only letters onto
    // letters, so a value may be classified like a name.
    switch KnownHeader.classify(token.base, token.count) {
    case .keepAlive: return .keepAlive
    case .upgrade: return .namesUpgrade
    default: return nil
    }
  }

  static func acceptsTrailers(_ te: Bytes) -> Bool {
    var list = ListValue(te)
    while let element = list.next() {
      if element.equalsIgnoringCase(Bytes("trailers")) { return true }
    }
    return false
  }

  /// Sets `upgrade` and `upgradeProtocol`. An Upgrade that is repeated, malformed, or asks for HTTP/2 is ignored, as a
  /// server may: the switch to `h2c` would carry requests past the proxy that nothing has looked at.
  static func upgrade(_ m: inout MessageHead, _ found: FieldFindings) {
    if !found.marks.contains([.namesUpgrade, .upgrade]) || found.marks.contains(.upgradeRepeated) { return }
    let field = m.headers[found.upgradeRow]
    let value = m.headers.value(field)
    var list = ListValue(value)
    while let element = list.next() {
      let slash = element.firstIndex(of: 0x2f) ?? element.count
      let name = element.slice(0, slash)
      if !HeaderTable.isFieldName(name) || name.equalsIgnoringCase(Bytes("h2c")) { return }
      if slash < element.count && !HeaderTable.isFieldName(element.slice(slash &+ 1, element.count)) { return }
    }
    m.upgrade = true
    m.upgradeProtocol = TextReference(start: Int(field.valueStart), count: Int(field.valueLength))
  }

  /// Removes the fields that Connection names.
  ///
  /// Fields that are meant for everybody along the way stay, although they were named: otherwise a client could strip
  /// from its request what a trusted proxy before this one put there. These are the fields that Weft itself knows, those
  /// about content, and the ones by which proxies tell who the client is.
  static func removeNamed(_ m: inout MessageHead) {
    var at = 0
    while at < m.headers.count {
      if m.headers[at].known == .connection {
        var list = ListValue(m.headers.value(at: at))
        while let name = list.next() {
          if !isEndToEnd(name) { remove(name, &m) }
        }
      }
      at &+= 1
    }
  }

  private static func remove(_ name: Bytes, _ m: inout MessageHead) {
    var i = 0
    while i < m.headers.count {
      if Int(m.headers[i].nameLength) == name.count && equal(m.headers.name(at: i), name) { m.headers.remove(at: i) }
      i &+= 1
    }
  }

  private static func isEndToEnd(_ name: Bytes) -> Bool {
    if KnownHeader.classify(name.base, name.count) != .other { return true }
    return hasPrefix(name, "x-forwarded-") || hasPrefix(name, "content-") || isOne(name, "x-real-ip")
      || isOne(name, "cache-control") || isOne(name, "set-cookie") || isOne(name, "proxy-authorization")
  }

  private static func hasPrefix(_ name: Bytes, _ lower: StaticString) -> Bool {
    let prefix = Bytes(lower)
    return name.count >= prefix.count && name.slice(0, prefix.count).equalsIgnoringCase(prefix)
  }

  private static func isOne(_ name: Bytes, _ lower: StaticString) -> Bool { name.equalsIgnoringCase(Bytes(lower)) }

  private static func equal(_ a: Bytes, _ b: Bytes) -> Bool {
    var i = 0
    while i < a.count {
      if asciiLower(a[i]) != asciiLower(b[i]) { return false }
      i &+= 1
    }
    return true
  }
}
