import GRPCCore
import GRPCNIOTransportHTTP2
import Logging
import Synchronization

/// The store for several control planes at once: an etcd cluster (3.4 or later), over its v3 API.
///
/// A revision is etcd's less one: an empty etcd is at 1, an empty store at 0. All keys of the cluster count revisions,
/// also those with another prefix, so revisions have gaps. A commit that only deletes keys that do not exist makes no
/// revision. How long history is kept is etcd's matter (`--auto-compaction-retention`).
public final class EtcdStore: Store {
  /// Files in PEM for endpoints with `https`.
  public struct TLS: Sendable {
    /// Who signed the members' certificates; nil: the system's authorities.
    public var authorities: String?
    /// The client's certificate and its key, where the cluster asks for them.
    public var certificate: (chain: String, key: String)?

    public init(authorities: String? = nil, certificate: (chain: String, key: String)? = nil) {
      self.authorities = authorities
      self.certificate = certificate
    }

    var security: HTTP2ClientTransport.Posix.TransportSecurity {
      .tls { tls in
        if let authorities { tls.trustRoots = .certificates([.file(path: authorities, format: .pem)]) }
        if let certificate {
          tls.certificateChain = [.file(path: certificate.chain, format: .pem)]
          tls.privateKey = .file(path: certificate.key, format: .pem)
        }
      }
    }
  }

  /// Entries that one call reads at most: with the largest values still a message that fits into memory.
  static let page = 256

  let client: EtcdClient
  let prefix: String
  let log: Logger
  let watches = Mutex(Watches())

  /// Connects at the first call.
  /// - Parameters:
  ///   - endpoints: members of one cluster, `http://HOST:PORT` or `https://HOST:PORT`.
  ///   - prefix: stands before every key, so that a cluster can be shared.
  ///   - timeout: of each call.
  /// - Throws: `StoreError.invalid` for endpoints or a prefix that cannot be, `.unavailable` for unreadable certificates.
  public init(
    endpoints: [String], prefix: String = "/weft", tls: TLS = TLS(), timeout: Duration = .seconds(5),
    log: Logger = Logger(label: "store")
  ) throws(StoreError) {
    if !prefix.isEmpty { try StoreLimits.check(key: prefix) }
    client = try EtcdClient(endpoints, tls: tls, timeout: timeout)
    self.prefix = prefix
    self.log = log
  }

  // MARK: Revisions, keys

  static func revision(_ number: Int64) -> Revision { number > 1 ? Revision(number) - 1 : 0 }

  /// What etcd calls a revision; too large a one is the largest.
  static func number(_ revision: Revision) -> Int64 { Int64(min(revision, Revision(Int64.max - 2))) + 1 }

  func entry(_ pair: Etcdserverpb_KeyValue, isDeleted: Bool = false) -> Entry {
    Entry(
      key: String(decoding: pair.key.dropFirst(prefix.utf8.count), as: UTF8.self),
      value: isDeleted ? nil : [UInt8](pair.value), created: Self.revision(pair.createRevision),
      modified: Self.revision(pair.modRevision), lease: LeaseID(bitPattern: pair.lease))
  }

  // MARK: Reading

  private func range(_ request: Etcdserverpb_RangeRequest) async throws(StoreError) -> Etcdserverpb_RangeResponse {
    let response = try await client.call { connection, options in
      do { return try await Etcdserverpb_KV.Client(wrapping: connection).range(request, options: options) } catch let
        error as RPCError where error.isFuture
      {
        // As it is now is as it will have been then, for all that is known.
        var present = request
        present.revision = 0
        return try await Etcdserverpb_KV.Client(wrapping: connection).range(present, options: options)
      } catch let error as RPCError where error.isCompacted { return Etcdserverpb_RangeResponse() }
    }
    if !response.hasHeader { throw .compacted(oldest: try await oldest()) }
    return response
  }

  public func get(_ key: String, at revision: Revision?) async throws(StoreError) -> Entry? {
    try StoreLimits.check(key: key)
    var request = Etcdserverpb_RangeRequest()
    request.key = bytes(key)
    request.revision = revision.map(Self.number) ?? 0
    return try await range(request).kvs.first.map { entry($0) }
  }

  public func list(prefix: String, after: String?, limit: Int, at revision: Revision?) async throws(StoreError) -> Page
  {
    var left = min(max(limit, 1), 10_000)
    var request = Etcdserverpb_RangeRequest()
    request.key = bytes(prefix)
    if let after, !after.utf8.lexicographicallyPrecedes(prefix.utf8) { request.key = bytes(after + "\u{0}") }
    if request.key.isEmpty { request.key = .init([0]) }
    request.rangeEnd = bytes(StoreLimits.end(of: prefix))
    request.revision = revision.map(Self.number) ?? 0
    var page = Page(entries: [], revision: 0, hasMore: true)
    while left > 0, page.hasMore {
      request.limit = Int64(min(left, Self.page))
      let response = try await range(request)
      if page.entries.isEmpty {
        let now = Self.revision(response.header.revision)
        page.revision = min(revision ?? now, now)
        // What follows is of the same moment.
        request.revision = Self.number(page.revision)
      }
      page.entries += response.kvs.map { entry($0) }
      left -= response.kvs.count
      page.hasMore = response.more && !response.kvs.isEmpty
      if let last = response.kvs.last { request.key = last.key + [0] }
    }
    return page
  }

  public func revision() async throws(StoreError) -> Revision {
    var request = Etcdserverpb_RangeRequest()
    request.key = .init([0])
    request.countOnly = true
    return Self.revision(try await range(request).header.revision)
  }

  public func check() async throws(StoreError) { _ = try await revision() }

  // MARK: Writing

  @discardableResult
  public func commit(_ transaction: Transaction) async throws(StoreError) -> Revision {
    try transaction.checkLimits()
    var request = Etcdserverpb_TxnRequest()
    request.compare = transaction.conditions.map(compare)
    request.success = transaction.operations.map(operation)
    request.failure = transaction.conditions.map { condition in
      .with { $0.requestRange = .with { $0.key = bytes(condition.key) } }
    }
    let sent = request
    let response = try await client.call(isWrite: true) { connection, options in
      do { return try await Etcdserverpb_KV.Client(wrapping: connection).txn(sent, options: options) } catch let
        error as RPCError where error.isLeaseNotFound
      { throw StoreError.leaseNotFound(transaction.leases.first ?? 0) }
    }
    if response.succeeded { return Self.revision(response.header.revision) }
    var found: [String: Entry?] = [:]
    for (condition, answer) in zip(transaction.conditions, response.responses) {
      let present = answer.responseRange.kvs.first.map { entry($0) }
      if !condition.holds(for: present) { found.updateValue(present, forKey: condition.key) }
    }
    throw .conflict(found)
  }

  private func compare(_ condition: Transaction.Condition) -> Etcdserverpb_Compare {
    var compare = Etcdserverpb_Compare()
    compare.key = bytes(condition.key)
    switch condition {
    case .absent:
      (compare.result, compare.target, compare.createRevision) = (.equal, .create, 0)
    case .exists:
      (compare.result, compare.target, compare.createRevision) = (.greater, .create, 0)
    case .unchanged(_, let revision):
      (compare.result, compare.target, compare.modRevision) = (.equal, .mod, Self.number(revision))
    }
    return compare
  }

  private func operation(_ operation: Transaction.Operation) -> Etcdserverpb_RequestOp {
    .with {
      switch operation {
      case .put(let key, let value, let lease):
        $0.requestPut = .with {
          $0.key = bytes(key)
          $0.value = .init(value)
          $0.lease = Int64(bitPattern: lease ?? 0)
        }
      case .delete(let key): $0.requestDeleteRange = .with { $0.key = bytes(key) }
      }
    }
  }

  public func compact(before revision: Revision) async throws(StoreError) {
    let request = Etcdserverpb_CompactionRequest.with { $0.revision = Self.number(revision) }
    let latest = try await self.revision()
    if revision == 0 || latest == 0 { return }
    let bounded = Etcdserverpb_CompactionRequest.with { $0.revision = min(request.revision, Self.number(latest)) }
    // Compacting twice is compacting once.
    try await client.call { connection, options in
      do { _ = try await Etcdserverpb_KV.Client(wrapping: connection).compact(bounded, options: options) } catch let
        error as RPCError where error.isCompacted
      {}
    }
  }

  // MARK: Leases

  public func grantLease(ttl: Int) async throws(StoreError) -> LeaseID {
    guard (1...86_400 * 30).contains(ttl) else { throw .invalid("a lease of \(ttl) s; 1 s to 30 days are taken") }
    // A lease that was granted twice ends by itself.
    let response = try await client.call { connection, options in
      try await Etcdserverpb_Lease.Client(wrapping: connection)
        .leaseGrant(.with { $0.ttl = Int64(ttl) }, options: options)
    }
    if !response.error.isEmpty { throw .unavailable("etcd grants no lease: \(response.error)") }
    return LeaseID(bitPattern: response.id)
  }

  public func keepAlive(_ lease: LeaseID) async throws(StoreError) {
    let request = Etcdserverpb_LeaseKeepAliveRequest.with { $0.id = Int64(bitPattern: lease) }
    let isAlive = try await client.call { connection, options in
      try await Etcdserverpb_Lease.Client(wrapping: connection).leaseKeepAlive(
        metadata: ["hasleader": "true"], options: options, requestProducer: { try await $0.write(request) },
        onResponse: { response in
          for try await answer in response.messages { return answer.ttl > 0 }
          throw RPCError(code: .unavailable, message: "etcd ended the call without an answer")
        })
    }
    if !isAlive { throw .leaseNotFound(lease) }
  }

  public func revoke(_ lease: LeaseID) async throws(StoreError) {
    try await client.call { connection, options in
      do {
        _ = try await Etcdserverpb_Lease.Client(wrapping: connection)
          .leaseRevoke(.with { $0.id = Int64(bitPattern: lease) }, options: options)
      } catch let error as RPCError where error.isLeaseNotFound { throw StoreError.leaseNotFound(lease) }
    }
  }

  public func close() async {
    let open = watches.withLock { $0.close() }
    for continuation in open { continuation.finish(throwing: StoreError.closed) }
    await client.close()
  }
}

extension Transaction {
  /// The leases that its keys are put under.
  fileprivate var leases: [LeaseID] {
    operations.compactMap { if case .put(_, _, let lease?) = $0, lease != 0 { lease } else { nil } }
  }
}
