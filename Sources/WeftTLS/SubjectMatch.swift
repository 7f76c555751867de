/// A subject alternative name that a peer's certificate must have.
public enum SubjectMatch: Sendable, Hashable, CustomStringConvertible {
  /// A DNS name; the certificate's may be a wildcard for its first label.
  case dns(String)
  /// A URI, compared byte for byte: a SPIFFE ID.
  case uri(String)
  /// A SPIFFE ID of a trust domain.
  case trustDomain(String)

  public var description: String {
    switch self {
    case .dns(let name): name
    case .uri(let uri): uri
    case .trustDomain(let domain): "spiffe://\(domain)/..."
    }
  }

  public func matches(_ certificate: CertificateInfo) -> Bool {
    switch self {
    case .dns(let name):
      let name = name.lowercased()
      return certificate.dnsNames.contains { ServerName.covers(pattern: $0, name: name) }
    case .uri(let uri): return certificate.uris.contains(uri)
    case .trustDomain(let domain): return certificate.spiffeID?.hasPrefix("spiffe://\(domain)/") ?? false
    }
  }
}

/// Names of servers: lower-case, without a closing dot.
enum ServerName {
  static func normalized(_ name: String) -> String {
    let lower = name.lowercased()
    return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
  }

  /// Whether a certificate's name covers `name`: equal, or `*.` for exactly one label (RFC 6125 6.4.3).
  static func covers(pattern: String, name: String) -> Bool {
    if pattern == name { return true }
    guard pattern.hasPrefix("*."), let dot = name.firstIndex(of: "."), dot != name.startIndex else { return false }
    return name[dot...] == pattern.dropFirst()
  }
}
