/// Where a JSON Web Key Set is fetched from: an absolute `https` or `http` URI (RFC 9110 section 4.2).
public struct KeySetLocation: Sendable, Hashable {
  /// As it was written.
  public let uri: String
  public let isTLS: Bool
  /// A DNS name in lower case, or an IP address without brackets.
  public let host: String
  public let port: Int
  /// Path and query, as the request says them.
  public let target: String

  /// Characters of a URI.
  static let lengthLimit = 2_048

  /// - Throws: what is wrong with the text.
  init(_ node: ConfigNode) throws(Diagnostic) {
    let text = try node.string(.length(1...Self.lengthLimit))
    guard let made = KeySetLocation(text) else {
      throw node.error(
        "\"\(text.prefix(80))\" is no address of a key set; write https://host/path, with a port where it is not 443")
    }
    self = made
  }

  /// nil when it is no such URI: user information and fragments have no meaning here.
  init?(_ text: String) {
    let lower = text.lowercased()
    guard let scheme = ["https://", "http://"].first(where: lower.hasPrefix) else { return nil }
    isTLS = scheme == "https://"
    // Visible ASCII only: the text becomes a request line.
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "\\") }) else {
      return nil
    }
    let rest = text.dropFirst(scheme.count)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<end]
    let path = rest[end...]
    target = path.hasPrefix("/") ? String(path) : "/" + path
    let name: Substring
    let digits: Substring?
    if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
      name = authority[authority.index(after: authority.startIndex)..<close]
      let behind = authority[authority.index(after: close)...]
      guard AddressSyntax.isIPv6(String(name)), behind.isEmpty || behind.hasPrefix(":") else { return nil }
      digits = behind.isEmpty ? nil : behind.dropFirst()
    } else {
      let colon = authority.firstIndex(of: ":")
      name = authority[..<(colon ?? authority.endIndex)]
      digits = colon.map { authority[authority.index(after: $0)...] }
      guard AddressSyntax.isIPv4(String(name)) || DNSName.isHost(name.lowercased()) else { return nil }
    }
    host = name.lowercased()
    if let digits {
      guard let number = AddressSyntax.port(digits) else { return nil }
      port = number
    } else {
      port = isTLS ? 443 : 80
    }
    uri = text
  }

  /// The value of the Host field (RFC 9110 section 7.2).
  public var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
  }

  /// On this machine, whose traffic nobody else reads or changes.
  var isLocal: Bool { host == "localhost" || host == "::1" || AddressSyntax.isIPv4(host) && host.hasPrefix("127.") }
}
