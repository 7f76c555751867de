import COpenSSL

/// The contexts of one port by server name (SNI, RFC 6066 section 3): an exact name first, then the longest wildcard,
/// then the one without a name. A wildcard stands for one label or more, as in the Gateway API.
public final class TLSServerNames: @unchecked Sendable {
  public struct Entry: Sendable {
    /// Lower case, perhaps beginning with `*.`; nil: any name, and none.
    public let hostname: String?
    public let context: TLSServerContext

    public init(hostname: String?, context: TLSServerContext) {
      self.hostname = hostname.map(ServerName.normalized)
      self.context = context
    }
  }

  public let entries: [Entry]
  private let table: ServerNameTable
  let tickets: TicketKeys
  /// The SSL_CTX with which every connection begins; the client's hello then chooses.
  let front: OpaquePointer

  /// - Parameter tickets: keys for session tickets, shared by whatever a client may come back to.
  public init(_ entries: [Entry], tickets: TicketKeys) throws(TLSFault) {
    self.entries = entries
    self.tickets = tickets
    table = ServerNameTable(entries.map(\.hostname))
    var settings = TLSSettings()
    settings.minimumVersion = entries.map(\.context.settings.minimumVersion).min() ?? .v12
    settings.maximumVersion = entries.map(\.context.settings.maximumVersion).max() ?? .v13
    let context = try settings.makeContext(TLS_server_method())
    front = context
    SSL_CTX_set_client_hello_cb(context, chooseContext, nil)
    weft_ctx_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
    SSL_CTX_set_timeout(context, Self.sessionLifetime)
    if weft_ctx_ticket_callback(context, prepareTicket) == 0 { throw TLSFault.last("set up session tickets") }
  }

  /// Seconds for which a session may be resumed, and thus a client's certificate be believed without a new look.
  static let sessionLifetime = 3_600

  deinit { SSL_CTX_free(front) }

  /// Index of the entry for a server name; nil: none is for it.
  /// - Parameter wanted: nil when the client gave none.
  public func index(of wanted: String?) -> Int? {
    table.index(of: wanted)
  }
}

/// Looks at the client's hello before anything is decided, and takes the context that it asks for.
private let chooseContext:
  @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = { ssl, alert, _ in
    guard let ssl, let session = TLSSession(ssl), let names = session.state.pointee.names else {
      return SSL_CLIENT_HELLO_ERROR
    }
    let wanted = ServerNameExtension.read(ssl)
    session.state.pointee.serverName = wanted
    let table = names._withUnsafeGuaranteedRef { $0 }
    guard let index = table.index(of: wanted) else {
      session.state.pointee.failure = TLSFailure(
        .unknownServerName,
        wanted.map { "no certificate is for the server name \"\($0.prefix(253))\"" }
          ?? "the client gave no server name, and each certificate here is for one")
      alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
      return SSL_CLIENT_HELLO_ERROR
    }
    let context = table.entries[index].context
    guard let variant = context.variant(named: wanted.map(ServerName.normalized) ?? ""),
      SSL_set_SSL_CTX(ssl, variant.context) == variant.context
    else { return SSL_CLIENT_HELLO_ERROR }
    session.state.pointee.entry = index
    // What SSL_set_SSL_CTX does not take along.
    let scope = context.sessionScope
    let settings = context.settings
    guard SSL_set_session_id_context(ssl, scope, UInt32(scope.count)) == 1,
      weft_ssl_versions(ssl, settings.minimumVersion.rawValue, settings.maximumVersion.rawValue) != 0,
      context.groups.withUnsafeBufferPointer({ weft_ssl_groups(ssl, $0.baseAddress) }) != 0
    else { return SSL_CLIENT_HELLO_ERROR }
    if let validation = context.validation {
      SSL_set_verify(ssl, context.verifyMode, verifyPeer)
      SSL_set_verify_depth(ssl, Int32(clamping: validation.depth))
    }
    return SSL_CLIENT_HELLO_SUCCESS
  }

private let prepareTicket:
  @convention(c) (
    OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?, Int32
  ) -> Int32 = { ssl, name, iv, cipher, mac, isNew in
    guard let ssl, let name, let iv, let cipher, let mac, let session = TLSSession(ssl),
      let names = session.state.pointee.names
    else { return -1 }
    // In TLS 1.3 a ticket is used once (RFC 8446 C.4).
    let renews = SSL_version(ssl) == TLSVersion.v13.rawValue
    return names._withUnsafeGuaranteedRef {
      $0.tickets.prepare(name, iv, cipher, mac, isNew: isNew == 1, renews: renews)
    }
  }

/// The server name in a hello that OpenSSL holds (RFC 6066 section 3): one host name.
private enum ServerNameExtension {
  static func read(_ ssl: OpaquePointer) -> String? {
    var bytes: UnsafePointer<UInt8>?
    var count = 0
    guard SSL_client_hello_get0_ext(ssl, UInt32(TLSEXT_TYPE_server_name), &bytes, &count) == 1, let bytes else {
      return nil
    }
    return ClientHello.serverName(UnsafeBufferPointer(start: bytes, count: count))
  }
}
