import COpenSSL
import WeftIO

/// What there is to know about a session.
extension TLSSession {
  public var isEstablished: Bool { state.pointee.isEstablished }
  /// Why it failed; of an established session, why a peer's certificate that was tolerated is not valid.
  public var failure: TLSFailure? { state.pointee.failure }
  /// The name that the client asked for.
  public var serverName: String? {
    isServer ? state.pointee.serverName : state.pointee.client?._withUnsafeGuaranteedRef { $0.serverName }
  }
  /// Index in the port's `TLSServerNames.entries`; -1 before the client's hello.
  public var entry: Int { state.pointee.entry }
  public var isServer: Bool { state.pointee.names != nil }
  /// The port has contexts of several server names.
  public var sharesPort: Bool { state.pointee.names?._withUnsafeGuaranteedRef { $0.entries.count > 1 } ?? false }

  /// Whether a host is one of another server name's context, rather than of the one that the client asked for.
  /// - Parameter host: without port.
  public func isForAnother(host: Bytes) -> Bool {
    guard let names = state.pointee.names else { return false }
    let text = host.string
    if text == state.pointee.serverName { return false }
    guard let index = names._withUnsafeGuaranteedRef({ $0.index(of: text) }) else { return false }
    return index != state.pointee.entry
  }

  /// The handshake was short, on the strength of an earlier session.
  public var isResumed: Bool { SSL_session_reused(state.pointee.ssl) == 1 }
  public var version: TLSVersion? { TLSVersion(rawValue: SSL_version(state.pointee.ssl)) }
  /// OpenSSL's name: `TLS_AES_128_GCM_SHA256`.
  public var cipher: String {
    guard let cipher = SSL_get_current_cipher(state.pointee.ssl), let name = SSL_CIPHER_get_name(cipher) else {
      return ""
    }
    return String(cString: name)
  }
  /// The cipher suite's number in the IANA registry; 0xffff: none.
  public var cipherNumber: UInt16 {
    SSL_get_current_cipher(state.pointee.ssl).map { SSL_CIPHER_get_protocol_id($0) } ?? 0xffff
  }

  /// The session's identifier, as bytes.
  public var identifier: [UInt8] {
    guard let session = SSL_get_session(state.pointee.ssl) else { return [] }
    var count: UInt32 = 0
    guard let bytes = SSL_SESSION_get_id(session, &count) else { return [] }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }

  /// Records are encrypted by the kernel as they are sent.
  public var usesKernelTLS: Bool { weft_ssl_kernel_send(state.pointee.ssl) != 0 }

  /// The application protocol agreed upon (RFC 7301); nil without one.
  public var applicationProtocol: String? {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(state.pointee.ssl, &name, &length)
    guard let name, length > 0 else { return nil }
    return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
  }

  /// The peer's certificate; nil when it showed none. Read once.
  public var peerCertificate: CertificateInfo? {
    if let known = state.pointee.peer { return known }
    guard let certificate = SSL_get0_peer_certificate(state.pointee.ssl) else { return nil }
    state.pointee.peer = CertificateInfo(certificate)
    return state.pointee.peer
  }

  /// The certificate that a server shows; nil for a client.
  public var localCertificate: CertificateInfo? {
    guard let names = state.pointee.names, let certificate = SSL_get_certificate(state.pointee.ssl) else { return nil }
    let entry = state.pointee.entry
    return names._withUnsafeGuaranteedRef { names in
      guard entry >= 0 else { return nil }
      return names.entries[entry].context.identities.first { $0.leaf == certificate }?.certificate
    }
  }

  /// The peer showed a certificate, and it is valid: its chain, its time, and the names that were demanded.
  public var isPeerVerified: Bool {
    guard isEstablished, verifiesPeer, state.pointee.failure == nil else { return false }
    return SSL_get0_peer_certificate(state.pointee.ssl) != nil && SSL_get_verify_result(state.pointee.ssl) == X509_V_OK
  }

  private var verifiesPeer: Bool {
    if let names = state.pointee.names {
      let entry = state.pointee.entry
      return names._withUnsafeGuaranteedRef { entry >= 0 && $0.entries[entry].context.validation != nil }
    }
    return state.pointee.client?._withUnsafeGuaranteedRef { $0.trust != nil } ?? false
  }

  /// Names of which the peer's certificate must have one; nil: none are demanded.
  var expectedSubjects: [SubjectMatch]? {
    let entry = state.pointee.entry
    if let names = state.pointee.names {
      return names._withUnsafeGuaranteedRef { entry >= 0 ? $0.entries[entry].context.validation?.subjects : nil }
    }
    return state.pointee.client?._withUnsafeGuaranteedRef { $0.subjects }
  }

  /// An invalid certificate of the peer does not end the handshake.
  var toleratesInvalidPeer: Bool {
    let entry = state.pointee.entry
    return state.pointee.names?._withUnsafeGuaranteedRef {
      entry >= 0 && $0.entries[entry].context.validation?.mode == .observe
    } ?? false
  }
}

extension TLSClientContext {
  /// The server's certificate must be for `serverName`.
  var checksName: Bool { trust != nil && subjects.isEmpty }
}
