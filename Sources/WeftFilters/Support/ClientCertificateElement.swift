import WeftTLS

/// One element of X-Forwarded-Client-Cert, in the form that Envoy gave it.
enum ClientCertificateElement {
  static func text(_ peer: CertificateInfo, by local: CertificateInfo?, _ details: [MTLS.Detail]) -> String {
    var parts: [String] = []
    for detail in details {
      switch detail {
      case .by: parts += (local?.uris ?? []).map { "By=\(quoted($0))" }
      case .hash: parts.append("Hash=\(peer.digest)")
      case .cert: parts.append("Cert=\"\(peer.percentEncodedPEM)\"")
      // Always quoted, for a subject has commas.
      case .subject: parts.append("Subject=\"\(escaped(peer.subject))\"")
      case .uri: parts += peer.uris.map { "URI=\(quoted($0))" }
      case .dns: parts += peer.dnsNames.map { "DNS=\(quoted($0))" }
      }
    }
    return parts.joined(separator: ";")
  }

  /// In quotes when a reader could take it for more than one value.
  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !",;=\"\\".utf8.contains($0) }
    return isPlain ? text : "\"\(escaped(text))\""
  }

  /// What stands between quotes: no control character reaches a header field.
  private static func escaped(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if byte < 0x20 || byte == 0x7f {
        bytes.append(UInt8(ascii: "?"))
        continue
      }
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
