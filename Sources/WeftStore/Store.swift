/// A revisioned key-value store with watch, compare-and-swap and leases, as etcd defines them: what the control plane
/// keeps its state in. Every commit makes one new revision; a key's entry carries the revision at which it was last
/// changed. Several processes may use one store, as far as the implementation allows it.
///
/// Implementations: `SQLiteStore` (embedded, one control plane), `EtcdStore` (several replicas).
public protocol Store: Sendable {
  /// The entry of `key` at present, or at an earlier revision.
  /// - Throws: `StoreError.compacted` when that revision is no longer kept.
  func get(_ key: String, at revision: Revision?) async throws(StoreError) -> Entry?

  /// Entries whose key begins with `prefix`, in the order of keys (by bytes).
  /// - Parameters:
  ///   - after: only keys behind this one: for the next page.
  ///   - limit: at most so many, 1 to 10,000.
  ///   - revision: as it was then; nil: at present. Use the first page's revision for the pages that follow.
  func list(prefix: String, after: String?, limit: Int, at revision: Revision?) async throws(StoreError) -> Page

  /// Applies all operations when every condition holds, and none otherwise. When it returns, the change survives a
  /// crash of the process and of the machine.
  /// - Returns: the new revision.
  /// - Throws: `StoreError.conflict` with the entries that were found when a condition does not hold.
  @discardableResult
  func commit(_ transaction: Transaction) async throws(StoreError) -> Revision

  /// Changes to keys with `prefix` after `revision`, in order, whole commits at a time; from now on when it is nil.
  /// The sequence ends by throwing `StoreError.compacted` when that revision, or one that a slow reader still needs,
  /// is no longer kept: list anew and watch from that list's revision.
  func watch(prefix: String, after revision: Revision?) async throws(StoreError) -> WatchStream

  /// The versions of a key that are still kept, newest first; a deletion is one with no value.
  func history(_ key: String, limit: Int) async throws(StoreError) -> [Entry]

  /// A lease: keys that were put under it are deleted when it is not kept alive for `ttl` seconds.
  func grantLease(ttl: Int) async throws(StoreError) -> LeaseID
  /// - Throws: `StoreError.leaseNotFound` when it has ended.
  func keepAlive(_ lease: LeaseID) async throws(StoreError)
  /// Ends a lease and deletes its keys.
  func revoke(_ lease: LeaseID) async throws(StoreError)

  /// Forgets what lies before `revision`, present entries aside.
  func compact(before revision: Revision) async throws(StoreError)

  /// The latest revision.
  func revision() async throws(StoreError) -> Revision

  /// Whether it can be read and written, for readiness. The error says what is wrong and what to do.
  func check() async throws(StoreError)

  /// Gives files and connections back. Calls under way fail with `StoreError.closed`.
  func close() async
}

/// A point in a store's history. Grows with each commit that changes something; 0 is before the first one.
public typealias Revision = UInt64

/// Identifies a lease within its store.
public typealias LeaseID = UInt64

/// Bounds that hold for every store.
public enum StoreLimits {
  /// Bytes of a key.
  public static let key = 1_024
  /// Bytes of a value: below etcd's default of 1.5 MiB a request.
  public static let value = 1 << 20
  /// Operations of a commit: etcd's default is 128.
  public static let operations = 100
}

/// A key with its value at some revision.
public struct Entry: Sendable, Hashable {
  public var key: String
  /// nil: deleted at `modified`.
  public var value: [UInt8]?
  /// The revision at which the key came to be; 0 for a deletion of which the store does not tell.
  public var created: Revision
  /// The revision of its last change.
  public var modified: Revision
  /// 0: bound to none.
  public var lease: LeaseID

  public init(key: String, value: [UInt8]?, created: Revision, modified: Revision, lease: LeaseID = 0) {
    self.key = key
    self.value = value
    self.created = created
    self.modified = modified
    self.lease = lease
  }
}

/// A part of a listing.
public struct Page: Sendable {
  public var entries: [Entry]
  /// The store's revision at which it was read.
  public var revision: Revision
  /// Whether more entries follow.
  public var hasMore: Bool

  public init(entries: [Entry], revision: Revision, hasMore: Bool) {
    self.entries = entries
    self.revision = revision
    self.hasMore = hasMore
  }
}

/// Conditions and what is done when all of them hold.
public struct Transaction: Sendable {
  public enum Condition: Sendable, Hashable {
    /// The key does not exist.
    case absent(String)
    /// The key was last changed at this revision.
    case unchanged(String, since: Revision)
    case exists(String)
  }

  public enum Operation: Sendable, Hashable {
    case put(String, [UInt8], lease: LeaseID?)
    case delete(String)
  }

  public var conditions: [Condition]
  /// Each key at most once.
  public var operations: [Operation]

  public init(when conditions: [Condition] = [], _ operations: [Operation]) {
    self.conditions = conditions
    self.operations = operations
  }
}

/// What one commit changed, of the keys that are watched.
public struct WatchBatch: Sendable, Hashable {
  public var revision: Revision
  /// Entries with no value were deleted.
  public var changes: [Entry]

  public init(revision: Revision, changes: [Entry]) {
    self.revision = revision
    self.changes = changes
  }
}

/// Changes as they come. Bounded: a reader that falls too far behind is cut off with `StoreError.compacted`.
public typealias WatchStream = AsyncThrowingStream<WatchBatch, any Error>

/// Why a store could not do what was asked.
public enum StoreError: Error, Sendable, CustomStringConvertible {
  /// A condition does not hold; the present entries of the keys in the conditions that failed (nil: absent).
  case conflict([String: Entry?])
  /// The revision is no longer kept; the oldest that is.
  case compacted(oldest: Revision)
  case leaseNotFound(LeaseID)
  /// A key, value or transaction beyond `StoreLimits`, or malformed. The text says what and where.
  case invalid(String)
  /// Disk full, server not reachable, no leader: it may work later. The text says what to do.
  case unavailable(String)
  /// Damaged, or of a newer version: it will not work later. The text says what to do.
  case unusable(String)
  case closed

  public var description: String {
    switch self {
    case .conflict(let found): "changed by somebody else meanwhile: \(found.keys.sorted().joined(separator: ", "))"
    case .compacted(let oldest): "the store keeps no history before revision \(oldest)"
    case .leaseNotFound(let id): "lease \(id) has ended"
    case .invalid(let text), .unavailable(let text), .unusable(let text): text
    case .closed: "the store is closed"
    }
  }
}
