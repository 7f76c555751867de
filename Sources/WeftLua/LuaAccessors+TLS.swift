import CLuaHost
import WeftBundle
import WeftFilter
import WeftTLS

extension LuaAccessors {
  /// What a script asks of the client's TLS; nothing for what the connection does not have.
  static func tls(_ x: UnsafeMutableRawPointer?, _ filter: UnsafeMutableRawPointer?, _ which: Int32) -> wl_text {
    guard let tls = exchange(x)?.tls, let state = owner(filter)?.state, let answer = answer(tls, which) else {
      return .none
    }
    return state.lendTape { $0.append(answer) }
  }

  private static func answer(_ tls: DownstreamTLS, _ which: Int32) -> SettingsValue? {
    switch Int(which) {
    case WL_TLS_PEER_PRESENTED: .bool(tls.peer != nil)
    case WL_TLS_PEER_VALIDATED: .bool(tls.isPeerVerified)
    case WL_TLS_SESSION_ID: .string(hex(tls.session))
    case WL_TLS_CIPHER_SUITE_ID: .string("0x" + hex([UInt8(tls.cipherNumber >> 8), UInt8(tls.cipherNumber & 0xff)]))
    case WL_TLS_CIPHER_SUITE: .string(tls.cipher)
    case WL_TLS_VERSION: .string(tls.version)
    case WL_TLS_URI_SANS_LOCAL: tls.local.map { list($0.uris) }
    case WL_TLS_DNS_SANS_LOCAL: tls.local.map { list($0.dnsNames) }
    case WL_TLS_SUBJECT_LOCAL: tls.local.map { .string($0.subject) }
    default: tls.peer.flatMap { answer($0, which) }
    }
  }

  private static func answer(_ peer: CertificateInfo, _ which: Int32) -> SettingsValue? {
    switch Int(which) {
    case WL_TLS_SHA256_PEER: .string(peer.digest)
    case WL_TLS_SERIAL_PEER: .string(peer.serial)
    case WL_TLS_ISSUER_PEER: .string(peer.issuer)
    case WL_TLS_SUBJECT_PEER: .string(peer.subject)
    case WL_TLS_COMMON_NAME_PEER: .string(peer.commonName ?? "")
    case WL_TLS_ORGANIZATIONS_PEER: list(peer.organizations)
    case WL_TLS_URI_SANS_PEER: list(peer.uris)
    case WL_TLS_DNS_SANS_PEER: list(peer.dnsNames)
    // Of the chain, the leaf alone is kept.
    case WL_TLS_PEM_PEER, WL_TLS_PEM_CHAIN_PEER: .string(peer.percentEncodedPEM)
    case WL_TLS_VALID_FROM_PEER: .integer(Int(peer.notBefore))
    case WL_TLS_EXPIRATION_PEER: .integer(Int(peer.notAfter))
    default: nil
    }
  }

  private static func list(_ texts: [String]) -> SettingsValue { .array(texts.map { .string($0) }) }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}
