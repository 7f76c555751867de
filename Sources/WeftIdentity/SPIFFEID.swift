/// The identity of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/NAME`.
///
/// Source: the SPIFFE-ID specification; the form of the path is the one that Istio and Linkerd users know.
public struct SPIFFEID: Sendable, Hashable, Codable, CustomStringConvertible {
  /// The mesh: lower-case letters, digits, dots, dashes and underscores; 1 to 255 bytes.
  public let trustDomain: String
  public let namespace: String
  /// The service, or the gateway.
  public let name: String

  /// Bytes of an identity as a whole.
  public static let maxLength = 2_048

  /// nil when a part is not one that an identity may have.
  public init?(trustDomain: String, namespace: String, name: String) {
    guard Self.isTrustDomain(trustDomain), Self.isLabel(namespace), Self.isLabel(name) else { return nil }
    self.trustDomain = trustDomain
    self.namespace = namespace
    self.name = name
  }

  /// nil when `text` is not of this form; no other form identifies a workload of a mesh.
  public init?(_ text: String) {
    let scheme = "spiffe://"
    guard text.utf8.count <= Self.maxLength, text.hasPrefix(scheme) else { return nil }
    let parts = text.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[1] == "ns", parts[3] == "sa" else { return nil }
    self.init(trustDomain: String(parts[0]), namespace: String(parts[2]), name: String(parts[4]))
  }

  public var description: String { "spiffe://\(trustDomain)/ns/\(namespace)/sa/\(name)" }

  /// SPIFFE-ID 2.1.
  public static func isTrustDomain(_ text: String) -> Bool {
    (1...255).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
          UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// A name as resources have it (RFC 1123 subdomain), which is narrower than SPIFFE's path segment.
  static func isLabel(_ text: String) -> Bool {
    guard (1...253).contains(text.utf8.count), let first = text.utf8.first, let last = text.utf8.last else {
      return false
    }
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    return isAlphanumeric(first) && isAlphanumeric(last)
      && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
  }

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let id = SPIFFEID(text) else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "\"\(text.prefix(80))\" is not spiffe://DOMAIN/ns/NAMESPACE/sa/NAME"))
    }
    self = id
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
