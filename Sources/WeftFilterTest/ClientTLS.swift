import WeftCrypto
import WeftFilter
import WeftTLS

/// The client's TLS connection as a test describes it, in `tls` of `request{...}`.
enum ClientTLS {
  private static let connectionFields = ["version", "cipher", "server_name", "session", "peer", "validated", "local"]
  private static let certificateFields = [
    "subject", "issuer", "serial", "uri_sans", "dns_sans", "spiffe_id", "valid_from", "expires", "sha256", "pem",
  ]
  /// Seconds since which and until when a certificate is good, from the test's present.
  private static let age: Int64 = 3600
  private static let life: Int64 = 86400

  /// What `tls` says: true for a connection with nothing to tell about it, or a table.
  /// - Parameter now: seconds since 1970.
  /// - Returns: nil: a connection without TLS.
  static func connection(_ value: LuaValue, now: Int64) throws(TestWorld.Mistake) -> DownstreamTLS? {
    switch value {
    case .none, .bool(false): return nil
    case .bool(true): return try connection(.table([]), now: now)
    default: break
    }
    try check(value, "tls", connectionFields)
    let cipher = try text(value, "cipher", "tls") ?? "TLS_AES_128_GCM_SHA256"
    let peer = try certificate(value["peer"], "tls.peer", subject: "CN=client", now: now)
    var isValidated = peer != nil
    switch value["validated"] {
    case .none: break
    case .bool(let flag):
      if flag && peer == nil { throw TestWorld.Mistake("tls.validated: there is no tls.peer to be validated") }
      isValidated = flag
    default: throw TestWorld.Mistake("tls.validated is true or false")
    }
    return DownstreamTLS(
      version: try text(value, "version", "tls") ?? "TLSv1.3", cipher: cipher,
      serverName: try text(value, "server_name", "tls"), peer: peer, isPeerVerified: isValidated,
      local: try certificate(value["local"], "tls.local", subject: "CN=proxy", now: now),
      cipherNumber: ciphers[cipher] ?? 0xffff, session: value["session"].bytes ?? [])
  }

  /// Numbers in the IANA registry of those that a modern client and the proxy agree on.
  private static let ciphers: [String: UInt16] = [
    "TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "ECDHE-ECDSA-AES128-GCM-SHA256": 0xc02b, "ECDHE-ECDSA-AES256-GCM-SHA384": 0xc02c,
    "ECDHE-RSA-AES128-GCM-SHA256": 0xc02f, "ECDHE-RSA-AES256-GCM-SHA384": 0xc030,
  ]

  private static func certificate(
    _ value: LuaValue, _ path: String, subject standIn: String, now: Int64
  ) throws(TestWorld.Mistake) -> CertificateInfo? {
    if value.isNone { return nil }
    try check(value, path, certificateFields)
    let subject = try text(value, "subject", path) ?? standIn
    let serial = try text(value, "serial", path) ?? "01"
    var uris = try list(value, "uri_sans", path)
    if let id = try text(value, "spiffe_id", path) {
      guard id.hasPrefix("spiffe://") else { throw TestWorld.Mistake("\(path).spiffe_id begins with spiffe://") }
      if !uris.isEmpty { throw TestWorld.Mistake("\(path): give spiffe_id or uri_sans, not both") }
      uris = [id]
    }
    let attributes = attributes(subject)
    let digest = try? SHA256Digest(of: Array("\(subject)\n\(serial)".utf8)).description.drop { $0 != ":" }.dropFirst()
    return CertificateInfo(
      subject: subject, issuer: try text(value, "issuer", path) ?? "CN=Test CA",
      commonName: attributes.first { $0.name == "CN" }?.value,
      organizations: attributes.filter { $0.name == "O" }.map(\.value), serial: serial,
      notBefore: try seconds(value, "valid_from", path) ?? now - age,
      notAfter: try seconds(value, "expires", path) ?? now + life,
      digest: try text(value, "sha256", path) ?? digest.map { String($0) } ?? "",
      dnsNames: try list(value, "dns_sans", path), uris: uris, pem: try text(value, "pem", path) ?? "")
  }

  /// The attributes of a name as RFC 2253 writes it, the last of the certificate's first: `CN=reviews,O=Example\\, Inc.`
  private static func attributes(_ subject: String) -> [(name: String, value: String)] {
    var parts = [""]
    var isEscaped = false
    for character in subject {
      if !isEscaped && character == "\\" {
        isEscaped = true
      } else if !isEscaped && (character == "," || character == "+") {
        parts.append("")
      } else {
        parts[parts.count - 1].append(character)
        isEscaped = false
      }
    }
    return parts.reversed().compactMap { part in
      let sides = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return sides.count == 2 ? (String(sides[0]), String(sides[1])) : nil
    }
  }

  // MARK: Fields

  private static func check(_ value: LuaValue, _ path: String, _ names: [String]) throws(TestWorld.Mistake) {
    guard case .table(let fields) = value else {
      // An empty Lua table is an empty list, too.
      if case .list(let items) = value, items.isEmpty { return }
      throw TestWorld.Mistake("\(path) takes a table with \(names.joined(separator: ", "))")
    }
    for field in fields where !names.contains(field.name) {
      throw TestWorld.Mistake("\(path) has no field \"\(field.name)\"; it has \(names.joined(separator: ", "))")
    }
  }

  private static func text(_ value: LuaValue, _ name: String, _ path: String) throws(TestWorld.Mistake) -> String? {
    let field = value[name]
    if field.isNone { return nil }
    guard let text = field.text else { throw TestWorld.Mistake("\(path).\(name) is a string") }
    return text
  }

  private static func list(_ value: LuaValue, _ name: String, _ path: String) throws(TestWorld.Mistake) -> [String] {
    let items = value[name].items
    let texts = items.compactMap(\.text)
    let isList: Bool
    switch value[name] {
    case .none, .list: isList = texts.count == items.count
    case .table(let fields): isList = fields.isEmpty
    default: isList = false
    }
    guard isList else { throw TestWorld.Mistake("\(path).\(name) is a list of strings") }
    return texts
  }

  private static func seconds(_ value: LuaValue, _ name: String, _ path: String) throws(TestWorld.Mistake) -> Int64? {
    if value[name].isNone { return nil }
    guard let seconds = value[name].integer else {
      throw TestWorld.Mistake("\(path).\(name) is a whole number of seconds since 1970")
    }
    return Int64(seconds)
  }
}
