import COpenSSL

/// Whether and how a server looks at its clients' certificates.
public struct ClientValidation: Sendable {
  public enum Mode: String, Sendable {
    /// A client without a valid certificate is refused in the handshake.
    case require
    /// A client may have none, but not an invalid one.
    case request
    /// Asked for, and taken as it is: `TLSSession.isPeerVerified` tells whether it was valid.
    case observe
  }

  public let mode: Mode
  public let trust: TrustStore
  /// Authorities allowed between the client's certificate and a trust anchor.
  public var depth = 4
  /// The certificate must have one of these names; empty: any.
  public var subjects: [SubjectMatch] = []

  public init(mode: Mode, trust: TrustStore) {
    self.mode = mode
    self.trust = trust
  }
}

/// What a server presents and demands for one group of host names: certificates, protocols, client validation.
/// Immutable and shared by threads; a rotation makes a new one, and connections keep the one that they began with.
public final class TLSServerContext: @unchecked Sendable {
  /// One set of identities that serve the same names, in an SSL_CTX of their own.
  struct Variant {
    let context: OpaquePointer
    let identities: [TLSIdentity]
  }

  public let identities: [TLSIdentity]
  public let settings: TLSSettings
  public let validation: ClientValidation?
  private(set) var variants: [Variant] = []
  private var exact: [String: Int] = [:]
  /// By what follows the wildcard: `.example.com`.
  private var wildcard: [String: Int] = [:]
  /// Sessions are resumed only where it is the same.
  let sessionScope: [UInt8]
  fileprivate let protocolList: [UInt8]
  let groups: [CChar]

  /// - Parameters:
  ///   - identities: not empty. For a name that several cover, one of each kind of key is used, and the client's
  ///     algorithms choose; the first one's serves names that none covers.
  ///   - scope: what distinguishes this context from others of the process, such as a listener's name.
  public init(
    identities: [TLSIdentity], settings: TLSSettings = TLSSettings(), validation: ClientValidation? = nil,
    scope: String = ""
  ) throws(TLSFault) {
    guard let first = identities.first else { throw TLSFault("there is no certificate") }
    self.identities = identities
    self.settings = settings
    self.validation = validation
    protocolList = try settings.protocolList()
    groups = Array(settings.groups.utf8CString)
    let demands = validation.map { "\($0.mode.rawValue) \($0.depth) \($0.subjects)" } ?? ""
    sessionScope = try Digest.sha256(Array("\(scope) \(demands)".utf8) + (validation?.trust.fingerprint ?? []))
    var names: [String: [Int]] = [:]
    for (i, identity) in identities.enumerated() {
      for name in identity.certificate.dnsNames { names[name, default: []].append(i) }
    }
    // Variants by the identities that they hold; the first is the default.
    var known: [[Int]: Int] = [:]
    _ = try variant(
      for: identities.indices.filter { identities[$0].certificate.dnsNames == first.certificate.dnsNames }, &known)
    for (name, list) in names.sorted(by: { $0.key < $1.key }) {
      let index = try variant(for: list, &known)
      if name.hasPrefix("*.") { wildcard[String(name.dropFirst())] = index } else { exact[name] = index }
    }
  }

  deinit { for variant in variants { SSL_CTX_free(variant.context) } }

  /// The SSL_CTX for a server name in lower case; the first identity's when no certificate is for it.
  func variant(named name: String) -> Variant? {
    if let index = exact[name] { return variants[index] }
    if let dot = name.firstIndex(of: "."), let index = wildcard[String(name[dot...])] { return variants[index] }
    return variants.first
  }

  private func variant(for indices: [Int], _ known: inout [[Int]: Int]) throws(TLSFault) -> Int {
    // One of each kind of key, the first given.
    var kinds: Set<Int32> = []
    let chosen = indices.filter { kinds.insert(identities[$0].algorithm).inserted }
    if let index = known[chosen] { return index }
    known[chosen] = variants.count
    variants.append(try make(chosen.map { identities[$0] }))
    return variants.count - 1
  }

  private func make(_ identities: [TLSIdentity]) throws(TLSFault) -> Variant {
    let context = try settings.makeContext(TLS_server_method())
    do throws(TLSFault) {
      for identity in identities { try identity.install(in: context) }
      let me = Unmanaged.passUnretained(self).toOpaque()
      if !protocolList.isEmpty { SSL_CTX_set_alpn_select_cb(context, selectProtocol, me) }
      if identities.contains(where: { $0.staple != nil }), weft_ctx_staple_callback(context, staple, me) == 0 {
        throw TLSFault.last("staple the OCSP response")
      }
      if let validation {
        try validation.trust.install(in: context)
        for authority in validation.trust.authorities where weft_ctx_add_client_ca(context, authority) == 0 {
          throw TLSFault.last("name the authorities to clients")
        }
      }
    } catch {
      SSL_CTX_free(context)
      throw error
    }
    return Variant(context: context, identities: identities)
  }

  /// The mode for SSL_set_verify.
  var verifyMode: Int32 {
    switch validation?.mode {
    case .none: SSL_VERIFY_NONE
    case .require: SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    case .request, .observe: SSL_VERIFY_PEER
    }
  }
}

/// Chooses the first of our protocols that the client has too (RFC 7301 3.2); without one the handshake fails.
private let selectProtocol:
  @convention(c) (
    OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?, UnsafePointer<UInt8>?,
    UInt32, UnsafeMutableRawPointer?
  ) -> Int32 = { _, out, outLength, offered, offeredLength, argument in
    guard let argument, let out, let outLength, let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let context = Unmanaged<TLSServerContext>.fromOpaque(argument).takeUnretainedValue()
    return context.protocolList.withUnsafeBufferPointer { ours -> Int32 in
      var i = 0
      while i < ours.count {
        let length = Int(ours[i])
        var j = 0
        while j < Int(offeredLength) {
          let theirs = Int(offered[j])
          if theirs == length, j + 1 + theirs <= Int(offeredLength),
            (0..<length).allSatisfy({ ours[i + 1 + $0] == offered[j + 1 + $0] })
          {
            // Points into the client's list, which outlives the call.
            out.pointee = offered + j + 1
            outLength.pointee = UInt8(truncatingIfNeeded: length)
            return SSL_TLSEXT_ERR_OK
          }
          j += 1 + theirs
        }
        i += 1 + length
      }
      return SSL_TLSEXT_ERR_ALERT_FATAL
    }
  }

private let staple: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { ssl, argument in
  guard let ssl, let argument, let certificate = SSL_get_certificate(ssl) else { return SSL_TLSEXT_ERR_NOACK }
  let context = Unmanaged<TLSServerContext>.fromOpaque(argument).takeUnretainedValue()
  guard let response = context.identities.first(where: { $0.leaf == certificate })?.staple else {
    return SSL_TLSEXT_ERR_NOACK
  }
  // An outdated response is worse than none.
  if let end = response.goodUntil, end < UnixSeconds.now() { return SSL_TLSEXT_ERR_NOACK }
  return weft_ssl_set_staple(ssl, response.bytes, Int32(response.bytes.count)) != 0
    ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK
}
