import Foundation
import Logging
import WeftIdentity
import WeftStore
import X509

/// The certificate authority of the mesh, over the store: its roots, the keys of join tokens, who is revoked. Replicas
/// with the same store and the same key file act as one.
public actor Authority {
  public struct Options: Sendable {
    public var trustDomain: String
    /// Seconds that a workload's certificate lives, when it asks for no less.
    public var certificateLifetime: Double
    /// An authority that the operator brought: PEM of chain and key.
    public var imported: (chain: String, key: String)?
    /// Seconds since the Unix epoch, for when roots take turns.
    var clock: @Sendable () -> Double = { Date().timeIntervalSince1970 }

    public init(
      trustDomain: String = "cluster.local", certificateLifetime: Double = 86_400,
      imported: (chain: String, key: String)? = nil
    ) {
      self.trustDomain = trustDomain
      self.certificateLifetime = certificateLifetime
      self.imported = imported
    }
  }

  public nonisolated let trustDomain: String
  nonisolated let lifetime: Double
  private let store: any Store
  private let sealing: SealingKey
  nonisolated let clock: @Sendable () -> Double
  private let log: Logger

  private(set) var record: AuthorityRecord
  private var modified: Revision
  /// By root id; opened once.
  private(set) var authorities: [String: CertificateAuthority] = [:]
  private var tokenKeys: [JoinTokenKey] = []
  private(set) var revoked: [String: Revocation] = [:]
  /// Called with namespace and name when somebody is revoked, here or at another replica.
  private var onRevocation: (@Sendable (String, String, Double) async -> Void)?

  /// Opens the authority that the store holds; makes one when it holds none.
  /// - Throws: `IdentityError` or `StoreError`, with what to do.
  public init(_ store: any Store, sealing: SealingKey, options: Options, log: Logger) async throws {
    guard SPIFFEID.isTrustDomain(options.trustDomain) else {
      throw IdentityError(
        "\"\(options.trustDomain.prefix(80))\" is no trust domain: it takes lower-case letters, digits, \".\", \"-\" and \"_\""
      )
    }
    self.store = store
    self.sealing = sealing
    clock = options.clock
    self.log = log
    trustDomain = options.trustDomain
    lifetime = options.certificateLifetime
    (record, modified) = try await Self.open(store, sealing, options)
    guard record.trustDomain == options.trustDomain else {
      throw IdentityError(
        "the store is of trust domain \(record.trustDomain), not \(options.trustDomain): start with --trust-domain \(record.trustDomain), or with another data folder"
      )
    }
    let (opened, keys) = try Self.unseal(record, sealing, known: [:])
    authorities = opened
    tokenKeys = keys
    if let imported = options.imported { try await bring(imported) }
    try await loadRevocations()
  }

  private static func open(
    _ store: any Store, _ sealing: SealingKey, _ options: Options
  ) async throws -> (AuthorityRecord, Revision) {
    for _ in 0..<10 {
      if let entry = try await store.get(AuthorityRecord.key, at: nil), let value = entry.value {
        do { return (try JSONDecoder().decode(AuthorityRecord.self, from: Data(value)), entry.modified) } catch {
          throw IdentityError("the authority in the store (\(AuthorityRecord.key)) cannot be read: \(error)")
        }
      }
      let now = options.clock()
      let authority =
        if let imported = options.imported { try CertificateAuthority(chain: imported.chain, key: imported.key) } else {
          try CertificateAuthority.makeRoot(trustDomain: options.trustDomain)
        }
      let tokenKey = JoinTokenKey()
      let record = AuthorityRecord(
        trustDomain: options.trustDomain, roots: [try seal(authority, sealing, now: now)],
        tokenKeys: [
          AuthorityRecord.TokenKey(
            id: tokenKey.id, sealedKey: try sealing.seal(tokenKey.pem, for: "key for join tokens"), created: now)
        ])
      let value = try encode(record)
      do {
        let revision = try await store.commit(
          Transaction(when: [.absent(AuthorityRecord.key)], [.put(AuthorityRecord.key, value, lease: nil)]))
        return (record, revision)
      } catch {
        // Another replica was first: take what it made.
        guard case .conflict = error else { throw error }
      }
    }
    throw StoreError.unavailable("the store changes faster than the authority can be read; try again")
  }

  private static func encode(_ record: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(record))
  }

  private static func seal(
    _ authority: CertificateAuthority, _ sealing: SealingKey, now: Double
  ) throws(IdentityError) -> AuthorityRecord.Root {
    AuthorityRecord.Root(
      id: authority.root.fingerprint, chain: authority.chainPEM,
      sealedKey: try sealing.seal(try authority.keyPEM, for: "key of the certificate authority"), trustedSince: now,
      signsFrom: now)
  }

  private static func unseal(
    _ record: AuthorityRecord, _ sealing: SealingKey, known: [String: CertificateAuthority]
  ) throws(IdentityError) -> ([String: CertificateAuthority], [JoinTokenKey]) {
    var authorities: [String: CertificateAuthority] = [:]
    for root in record.roots {
      if let authority = known[root.id] {
        authorities[root.id] = authority
      } else {
        authorities[root.id] = try CertificateAuthority(
          chain: root.chain, key: try sealing.open(root.sealedKey, for: "key of the certificate authority"))
      }
    }
    var keys: [JoinTokenKey] = []
    for key in record.tokenKeys {
      keys.append(try JoinTokenKey(id: key.id, pem: try sealing.open(key.sealedKey, for: "key for join tokens")))
    }
    return (authorities, keys)
  }

  // MARK: Keeping up with the store

  func setRevocationHandler(_ handler: @escaping @Sendable (String, String, Double) async -> Void) {
    onRevocation = handler
  }

  /// Follows what other replicas change, until it is cancelled.
  func run() async {
    while !Task.isCancelled {
      do {
        let revision = try await store.revision()
        try await reload()
        try await loadRevocations()
        for try await batch in try await store.watch(prefix: "/control/authority/", after: revision) {
          if batch.changes.contains(where: { $0.key == AuthorityRecord.key }) { try await reload() }
          for change in batch.changes where change.key.hasPrefix(Revocation.prefix) { await take(change) }
        }
      } catch is CancellationError { return } catch {
        if Task.isCancelled { return }
        log.warning("the authority cannot follow the store: \(error)")
      }
      do { try await Task.sleep(for: .seconds(1)) } catch { return }
    }
  }

  private func reload() async throws {
    guard let entry = try await store.get(AuthorityRecord.key, at: nil), let value = entry.value else {
      throw IdentityError("the authority is gone from the store: restore it from a backup")
    }
    let new = try JSONDecoder().decode(AuthorityRecord.self, from: Data(value))
    let (opened, keys) = try Self.unseal(new, sealing, known: authorities)
    (record, modified, authorities, tokenKeys) = (new, entry.modified, opened, keys)
  }

  private func loadRevocations() async throws {
    var after: String?
    while true {
      let page = try await store.list(prefix: Revocation.prefix, after: after, limit: 1_000, at: nil)
      for entry in page.entries { await take(entry) }
      after = page.entries.last?.key
      if !page.hasMore { return }
    }
  }

  private func take(_ entry: Entry) async {
    let workload = String(entry.key.dropFirst(Revocation.prefix.count))
    let names = workload.split(separator: "/").map(String.init)
    guard names.count == 2 else { return }
    guard let value = entry.value, let revocation = try? JSONDecoder().decode(Revocation.self, from: Data(value)) else {
      revoked[workload] = nil
      return
    }
    if revoked[workload] == revocation { return }
    revoked[workload] = revocation
    await onRevocation?(names[0], names[1], revocation.since)
  }

  /// Changes the record, again when another replica was faster.
  /// - Parameter operations: written in the same transaction.
  private func change(
    noting operations: [Transaction.Operation], _ body: (inout AuthorityRecord) throws -> Void
  ) async throws {
    for _ in 0..<10 {
      var new = record
      try body(&new)
      if new == record { return }
      let value = try Self.encode(new)
      do {
        try await store.commit(
          Transaction(
            when: [.unchanged(AuthorityRecord.key, since: modified)],
            [.put(AuthorityRecord.key, value, lease: nil)] + operations))
      } catch {
        guard case .conflict = error else { throw error }
        try await reload()
        continue
      }
      return try await reload()
    }
    throw StoreError.unavailable("the authority in the store changes faster than it can be written; try again")
  }

  // MARK: Roots

  private var now: Double { clock() }

  /// What the mesh trusts at present.
  public var trust: TrustBundle {
    TrustBundle(trustDomain: trustDomain, roots: record.trusted(at: now).compactMap { authorities[$0.id]?.root })
  }

  private func signer() throws(IdentityError) -> CertificateAuthority {
    guard let root = record.active(at: now), let authority = authorities[root.id] else {
      throw IdentityError("the certificate authority has no root")
    }
    return authority
  }

  /// Makes a new root, or takes one that the operator brought. It is trusted at once, signs after one life of a
  /// certificate, and the old ones are dropped one life later; nothing is cut off.
  /// - Parameter note: what to write in the same transaction, given the new root's fingerprint.
  /// - Returns: the new root's fingerprint.
  @discardableResult
  public func rotateRoot(
    imported: (chain: String, key: String)? = nil, noting note: (String) -> [Transaction.Operation] = { _ in [] }
  ) async throws -> String {
    let authority =
      if let imported { try CertificateAuthority(chain: imported.chain, key: imported.key) } else {
        try CertificateAuthority.makeRoot(trustDomain: trustDomain)
      }
    let root = try Self.seal(authority, sealing, now: now)
    try await change(noting: note(root.id)) { record in
      guard !record.roots.contains(where: { $0.id == root.id }) else { return }
      record.rotate(to: root, overlap: lifetime, now: now)
    }
    log.notice("a new root is trusted", metadata: ["root": "\(root.id)", "signs in seconds": "\(Int(lifetime))"])
    return root.id
  }

  /// The operator's own authority: a rotation when the mesh has another one.
  private func bring(_ imported: (chain: String, key: String)) async throws {
    let authority = try CertificateAuthority(chain: imported.chain, key: imported.key)
    if record.roots.contains(where: { $0.id == authority.root.fingerprint }) { return }
    try await rotateRoot(imported: imported) { root in
      [
        AuditLog.entry(
          "authority rotate", by: .itself,
          [.init(subject: ["root": .string(root)], outcome: "brought with --ca-certificate", differences: [])])
      ]
    }
  }

  /// A certificate for a server of this control plane, with a new key. Both PEM.
  public func serverCertificate(
    names: [String], addresses: [String], lifetime: Double
  ) throws(IdentityError) -> (chain: String, key: String, notAfter: Double) {
    let key = WorkloadKey()
    let issued = try signer().issueServer(names: names, addresses: addresses, for: key.publicKey, lifetime: lifetime)
    // The root goes along: a proxy that joins knows it by its digest only.
    return (issued.chainPEM + [try signer().root].pem, key.pem, Double(issued.notAfter))
  }

  // MARK: Tokens

  /// A join token for a workload. Its text is a secret, and is kept nowhere.
  /// - Parameter lifetime: in seconds, at most 30 days.
  public func issueToken(
    namespace: String, name: String, kind: JoinToken.Kind, use: JoinToken.Use, lifetime: Int64
  ) async throws -> (text: String, token: JoinToken) {
    guard let id = SPIFFEID(trustDomain: trustDomain, namespace: namespace, name: name) else {
      throw IdentityError(
        "\"\(namespace.prefix(80))/\(name.prefix(80))\" is no NAMESPACE/NAME: both take lower-case letters, digits, \"-\" and \".\""
      )
    }
    guard let key = tokenKeys.last else { throw IdentityError("the authority has no key for join tokens") }
    let token = try JoinToken(workload: id, kind: kind, use: use, lifetime: lifetime, roots: trust.fingerprints)
    return (try await key.sign(token), token)
  }

  func verify(token text: String) async throws -> JoinToken {
    let token = try await JoinTokenKey.verify(text, with: tokenKeys, trustDomain: trustDomain)
    if isRevoked(token.workload, issued: token.issued) {
      throw IdentityError("\(token.workload) was revoked after this token was made: have a new one made")
    }
    return token
  }

  // MARK: Revocation

  /// Refuses everything that was issued to a workload until now: its certificates and join tokens. A token made later
  /// lets it in again.
  /// - Parameter operations: written in the same transaction.
  public func revoke(
    namespace: String, name: String, by who: String, reason: String, noting operations: [Transaction.Operation] = []
  ) async throws {
    guard SPIFFEID(trustDomain: trustDomain, namespace: namespace, name: name) != nil else {
      throw IdentityError("\"\(namespace.prefix(80))/\(name.prefix(80))\" is no NAMESPACE/NAME of a workload")
    }
    let revocation = Revocation(since: now, by: String(who.prefix(200)), reason: String(reason.prefix(500)))
    let key = Revocation.key(namespace: namespace, name: name)
    let value = try Self.encode(revocation)
    let revision = try await store.commit(Transaction([.put(key, value, lease: nil)] + operations))
    await take(Entry(key: key, value: value, created: revision, modified: revision))
    log.notice("a workload is revoked", metadata: ["workload": "\(namespace)/\(name)", "by": "\(revocation.by)"])
  }

  /// Whether what was issued to `id` at that time (seconds since the Unix epoch) is refused.
  func isRevoked(_ id: SPIFFEID, issued: Double) -> Bool {
    guard let revocation = revoked["\(id.namespace)/\(id.name)"] else { return false }
    return issued <= revocation.since
  }

  // MARK: Signing

  /// A certificate for the key of a request.
  func issue(_ id: SPIFFEID, for request: SigningRequest, seconds: UInt32) throws(IdentityError) -> IssuedCertificate {
    if let wanted = request.id, wanted != id {
      throw IdentityError("the signing request asks for \(wanted), but the caller is \(id)")
    }
    let life = seconds == 0 ? lifetime : min(Double(seconds), lifetime)
    return try signer().issue(id, for: request.publicKey, lifetime: life)
  }
}
