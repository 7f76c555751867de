import COpenSSL
import Glibc
import Synchronization

/// How connections to a service are encrypted: whom we believe, whom we expect, what we show. Immutable and shared by
/// threads.
public final class TLSClientContext: @unchecked Sendable {
  /// Sent as server name and, without `subjects`, expected in the certificate. A DNS name or an IP address.
  public let serverName: String
  /// The certificate must have one of these names; empty: `serverName`.
  public let subjects: [SubjectMatch]
  /// nil: whatever the server shows is taken, which protects from listeners and from nobody else.
  public let trust: TrustStore?
  public let identity: TLSIdentity?
  public let settings: TLSSettings
  let context: OpaquePointer
  let serverNameText: [CChar]
  let isAddress: Bool
  /// Equal for contexts that are made of the same certificates and settings.
  public let fingerprint: [UInt8]
  /// Differs from that of every other context of the process; never 0.
  public let number = TLSClientContext.numbers.add(1, ordering: .relaxed).newValue
  private static let numbers = Atomic<UInt64>(0)

  public init(
    serverName: String, trust: TrustStore?, subjects: [SubjectMatch] = [], identity: TLSIdentity? = nil,
    settings: TLSSettings = TLSSettings()
  ) throws(TLSFault) {
    self.serverName = ServerName.normalized(serverName)
    self.subjects = subjects
    self.trust = trust
    self.identity = identity
    self.settings = settings
    serverNameText = Array(self.serverName.utf8CString)
    var address = in6_addr()
    isAddress =
      inet_pton(AF_INET, self.serverName, &address) == 1 || inet_pton(AF_INET6, self.serverName, &address) == 1
    let described = "\(self.serverName) \(subjects) \(settings) \(identity?.certificate.digest ?? "-")"
    fingerprint = try Digest.sha256(Array(described.utf8) + (trust?.fingerprint ?? []))
    let protocols = try settings.protocolList()
    let context = try settings.makeContext(TLS_client_method())
    do throws(TLSFault) {
      if let trust {
        try trust.install(in: context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verifyPeer)
      } else {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
      }
      try identity?.install(in: context)
      if !protocols.isEmpty, SSL_CTX_set_alpn_protos(context, protocols, UInt32(protocols.count)) != 0 {
        throw TLSFault.last("offer the protocols \(settings.protocols)")
      }
    } catch {
      SSL_CTX_free(context)
      throw error
    }
    // Sessions are kept by whoever owns the connection's endpoint, not by OpenSSL.
    weft_ctx_cache_mode(context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    SSL_CTX_sess_set_new_cb(context, keepSession)
    self.context = context
  }

  deinit { SSL_CTX_free(context) }
}

/// - Returns: 1 when the reference to `received` is kept.
private let keepSession: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32 = { ssl, received in
  guard let ssl, let received, let session = TLSSession(ssl), let store = session.state.pointee.store,
    let context = session.state.pointee.client, SSL_SESSION_is_resumable(received) == 1
  else { return 0 }
  store.pointee.keep(received, of: context._withUnsafeGuaranteedRef { $0.number })
  return 1
}

/// Sessions that a server offered for resumption: those of one endpoint on one worker.
public struct TLSSessionStore: ~Copyable {
  private var sessions: [OpaquePointer] = []
  /// The number of the context that they belong to. Those of another one are not used: whom we believe may have changed.
  private var owner: UInt64 = 0

  /// As many connections can resume at once; a session is used once (RFC 8446 C.4).
  private static let limit = 4

  public init() {}

  deinit { for session in sessions { SSL_SESSION_free(session) } }

  public var isEmpty: Bool { sessions.isEmpty }

  mutating func keep(_ session: OpaquePointer, of context: UInt64) {
    adopt(context)
    if sessions.count == Self.limit { SSL_SESSION_free(sessions.removeFirst()) }
    sessions.append(session)
  }

  /// The newest session, which the caller then owns.
  mutating func take(for context: UInt64) -> OpaquePointer? {
    adopt(context)
    return sessions.popLast()
  }

  private mutating func adopt(_ context: UInt64) {
    if owner == context { return }
    for session in sessions { SSL_SESSION_free(session) }
    sessions.removeAll()
    owner = context
  }
}
