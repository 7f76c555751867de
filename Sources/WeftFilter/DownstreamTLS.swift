import Synchronization
import WeftIO
import WeftTLS

/// What is known of a client's TLS connection: made once, when its handshake is complete.
public final class DownstreamTLS: Sendable {
  /// Differs from that of every other connection of the process; never 0. Filters remember by it what they found out.
  public let number: UInt64
  private static let numbers = Atomic<UInt64>(0)

  /// `TLSv1.3` or `TLSv1.2`.
  public let version: String
  /// OpenSSL's name of the cipher suite.
  public let cipher: String
  /// Its number in the IANA registry; 0xffff: none.
  public let cipherNumber: UInt16
  /// The session's identifier.
  public let session: [UInt8]
  /// The server name that the client asked for (SNI).
  public let serverName: String?
  /// The same for the data path, empty without one.
  package let serverNameBytes: OwnedBytes
  /// Who the verified client is, for the data path.
  package let identity: PeerIdentity
  /// The application protocol agreed upon (ALPN).
  public let applicationProtocol: String?
  public let isResumed: Bool
  /// The client's certificate; nil when it showed none.
  public let peer: CertificateInfo?
  /// The client's certificate is valid by the listener's authorities. Only then is `peer` an identity.
  public let isPeerVerified: Bool
  /// The certificate that the proxy showed.
  public let local: CertificateInfo?

  public init(
    version: String, cipher: String, serverName: String? = nil, applicationProtocol: String? = nil,
    isResumed: Bool = false, peer: CertificateInfo? = nil, isPeerVerified: Bool = false,
    local: CertificateInfo? = nil, cipherNumber: UInt16 = 0xffff, session: [UInt8] = []
  ) {
    number = Self.numbers.add(1, ordering: .relaxed).newValue
    self.version = version
    self.cipher = cipher
    self.cipherNumber = cipherNumber
    self.session = session
    self.serverName = serverName
    serverNameBytes = OwnedBytes(serverName ?? "")
    self.applicationProtocol = applicationProtocol
    self.isResumed = isResumed
    self.peer = peer
    self.isPeerVerified = isPeerVerified
    self.local = local
    identity = PeerIdentity(spiffeID: isPeerVerified ? peer?.spiffeID : nil)
  }

  /// The SPIFFE ID of a verified client.
  public var verifiedSPIFFEID: String? { isPeerVerified ? peer?.spiffeID : nil }
}
