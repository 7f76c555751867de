import CNghttp2
import WeftIO

/// The fields of one header section on their way out, as libnghttp2 takes them. Reused; belongs to one worker.
///
/// Holds pointers only: what they point to must stay in place until the section has been submitted, which copies it.
public struct HTTP2FieldList: ~Copyable {
  private let entries: UnsafeMutablePointer<nghttp2_nv>
  private let status = MutableBytePointer.allocate(capacity: 4)
  public private(set) var count = 0

  /// The fields that a table can have, with pseudo fields and what the proxy adds of its own.
  private static let room = HeaderTable.fieldLimit + 16

  public init() { entries = .allocate(capacity: Self.room) }

  deinit {
    entries.deallocate()
    status.deallocate()
  }

  var pointer: UnsafePointer<nghttp2_nv> { UnsafePointer(entries) }

  public mutating func reset() { count = 0 }

  /// Appends a field. Names may have any case, and leave in lower case.
  public mutating func append(_ name: Bytes, _ value: Bytes) {
    if count == Self.room { return }
    entries[count] = nghttp2_nv(
      name: UnsafeMutablePointer(mutating: name.base), value: UnsafeMutablePointer(mutating: value.base),
      namelen: name.count, valuelen: value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
    count &+= 1
  }

  /// `:status`. Three digits; anything else becomes 502, for no other status can be written.
  public mutating func append(status code: Int) {
    let code = (100...999).contains(code) ? code : 502
    status[0] = UInt8(truncatingIfNeeded: code / 100) &+ 0x30
    status[1] = UInt8(truncatingIfNeeded: code / 10 % 10) &+ 0x30
    status[2] = UInt8(truncatingIfNeeded: code % 10) &+ 0x30
    append(Bytes(":status"), Bytes(BytePointer(status), 3))
  }

  /// The fields of `table`, without those that belong to an HTTP/1.1 connection (RFC 9113 8.2.2).
  public mutating func append(_ table: borrowing HeaderTable, withoutHost: Bool = false, withoutKey: Bool = false) {
    var i = 0
    while i < table.count {
      defer { i &+= 1 }
      if table.isRemoved(i) { continue }
      let field = table[i]
      switch field.known {
      case .transferEncoding, .connection, .keepAlive, .proxyConnection, .upgrade: continue
      case .host where withoutHost: continue
      case .other where withoutKey && table.name(field).equalsIgnoringCase(Bytes("sec-websocket-key")): continue
      default: append(table.name(field), table.value(field))
      }
    }
  }

  /// The start line of a request as pseudo fields, then its fields.
  public mutating func appendRequest(_ m: borrowing MessageHead, scheme: Bytes) {
    append(Bytes(":method"), m.headers.text(m.methodText))
    append(Bytes(":scheme"), scheme)
    if let host = m.headers.value(.host) { append(Bytes(":authority"), host) }
    append(Bytes(":path"), m.headers.text(m.target))
    append(m.headers, withoutHost: true)
  }

  /// A request to switch to another protocol as extended CONNECT (RFC 8441 4), then its fields but those that only
  /// WebSocket over HTTP/1.1 has.
  public mutating func appendConnect(_ m: borrowing MessageHead, scheme: Bytes) {
    append(Bytes(":method"), Bytes("CONNECT"))
    append(Bytes(":protocol"), m.headers.text(m.upgradeProtocol))
    append(Bytes(":scheme"), scheme)
    if let host = m.headers.value(.host) { append(Bytes(":authority"), host) }
    append(Bytes(":path"), m.headers.text(m.target))
    append(m.headers, withoutHost: true, withoutKey: true)
  }

  /// The status of a response, then its fields.
  public mutating func appendResponse(_ m: borrowing MessageHead) {
    append(status: m.status)
    append(m.headers)
  }
}
