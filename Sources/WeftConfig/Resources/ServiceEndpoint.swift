/// Where a `weft.dev` Service sends requests to.
public struct ServiceEndpoint: Sendable, Hashable {
  public enum Address: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 or IPv6 address, without brackets.
    case ip(String, port: Int)
    /// A DNS name, resolved again as its records expire.
    case name(String, port: Int)
    /// An absolute path.
    case unix(String)

    /// Reads `10.0.0.5:80`, `[::1]:80`, `reviews.internal:80` or `unix:/run/app.sock`; nil when it is none of them.
    public init?(_ text: String) {
      if text.hasPrefix("unix:") {
        let path = String(text.dropFirst(5))
        // 108 bytes with the closing zero: sockaddr_un.
        guard path.hasPrefix("/"), path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
        self = .unix(path)
        return
      }
      guard let colon = text.lastIndex(of: ":"), let port = AddressSyntax.port(text[text.index(after: colon)...]) else {
        return nil
      }
      let host = text[..<colon]
      if host.hasPrefix("["), host.hasSuffix("]") {
        let address = String(host.dropFirst().dropLast())
        guard AddressSyntax.isIPv6(address) else { return nil }
        self = .ip(address, port: port)
      } else if AddressSyntax.isIPv4(String(host)) {
        self = .ip(String(host), port: port)
      } else {
        let name = host.lowercased()
        guard DNSName.isHost(name) else { return nil }
        self = .name(name, port: port)
      }
    }

    public var description: String {
      switch self {
      case .ip(let address, let port): address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
      case .name(let name, let port): "\(name):\(port)"
      case .unix(let path): "unix:\(path)"
      }
    }
  }

  public let address: Address
  /// In proportion to the sum over the service; 0 takes no requests.
  public let weight: Int
  public let zone: String?
  public let origin: Origin

  /// Reads a string, or an object with an address and more.
  init(_ node: ConfigNode) throws {
    if node.kind != .mapping {
      address = try ServiceEndpoint.address(node)
      weight = 1
      zone = nil
      origin = Origin(node)
      return
    }
    self = try ObjectReader.decode(node) { reader in
      ServiceEndpoint(
        address: reader.required("address", placeholder: .unix("/"), ServiceEndpoint.address),
        weight: reader.int("weight", in: Bounds.weight, default: 1),
        zone: reader.optionalString("zone", .length(1...63)), origin: Origin(node))
    }
  }

  private init(address: Address, weight: Int, zone: String?, origin: Origin) {
    self.address = address
    self.weight = weight
    self.zone = zone
    self.origin = origin
  }

  private static func address(_ node: ConfigNode) throws(Diagnostic) -> Address {
    let text = try node.string()
    if let address = Address(text) { return address }
    if let scheme = ["http://", "https://"].first(where: text.hasPrefix) {
      throw node.error("\"\(text)\" is a URL; leave out \"\(scheme)\" and what follows the port")
    }
    throw node.error(
      "\"\(text)\" is no endpoint; write host:port, such as 10.0.0.5:80, [::1]:80 or reviews.internal:80, or unix:/path"
    )
  }
}

extension DNSName {
  /// A name to resolve: like a subdomain, with underscores and a closing dot allowed, and no mistaken address.
  static func isHost(_ text: String) -> Bool {
    let name = text.hasSuffix(".") ? String(text.dropLast()) : text
    return isSubdomain(String(name.map { $0 == "_" ? "x" : $0 })) && !looksLikeIPv4(name)
  }
}
