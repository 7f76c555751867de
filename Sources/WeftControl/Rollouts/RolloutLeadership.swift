import WeftStore

/// Which replica drives rollouts: the one whose key lives, under a lease that ends with it.
actor RolloutLeadership {
  static let key = "/control/rollouts/leader"
  /// Seconds without a sign of life after which another replica takes over.
  private static let life = 6

  private let store: any Store
  private let replica: String
  private var lease: LeaseID?
  private var isLeader = false

  init(_ store: any Store, replica: String) {
    self.store = store
    self.replica = replica
  }

  /// Renews the lease, and stands for election.
  /// - Returns: whether this replica leads.
  func campaign() async throws(StoreError) -> Bool {
    if let held = lease {
      do { try await store.keepAlive(held) } catch {
        lease = nil
        isLeader = false
        guard case .leaseNotFound = error else { throw error }
      }
    }
    if isLeader { return true }
    let own: LeaseID
    if let lease { own = lease } else { own = try await store.grantLease(ttl: Self.life) }
    lease = own
    do {
      try await store.commit(Transaction(when: [.absent(Self.key)], [.put(Self.key, Array(replica.utf8), lease: own)]))
      isLeader = true
    } catch {
      guard case .conflict = error else { throw error }
    }
    return isLeader
  }

  /// The lease under which this replica may keep other things.
  var ownLease: LeaseID? { lease }

  /// Lets somebody else lead.
  func resign() async {
    guard let held = lease else { return }
    lease = nil
    isLeader = false
    try? await store.revoke(held)
  }
}
