import WeftStore

/// A store that is not there, for what only looks at tables.
struct EmptyStore: Store {
  func get(_ key: String, at revision: Revision?) async throws(StoreError) -> Entry? { throw .closed }
  func list(prefix: String, after: String?, limit: Int, at revision: Revision?) async throws(StoreError) -> Page {
    throw .closed
  }
  func commit(_ transaction: Transaction) async throws(StoreError) -> Revision { throw .closed }
  func watch(prefix: String, after revision: Revision?) async throws(StoreError) -> WatchStream { throw .closed }
  func history(_ key: String, limit: Int) async throws(StoreError) -> [Entry] { throw .closed }
  func grantLease(ttl: Int) async throws(StoreError) -> LeaseID { throw .closed }
  func keepAlive(_ lease: LeaseID) async throws(StoreError) { throw .closed }
  func revoke(_ lease: LeaseID) async throws(StoreError) { throw .closed }
  func compact(before revision: Revision) async throws(StoreError) { throw .closed }
  func revision() async throws(StoreError) -> Revision { throw .closed }
  func check() async throws(StoreError) { throw .closed }
  func close() async {}
}
