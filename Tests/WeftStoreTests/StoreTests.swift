import TestEtcd
import Testing
import WeftStore

/// What every store must do. One test after the other: each starts an etcd of its own.
@Suite(.serialized)
struct StoreTests {
  /// Runs `body` with each kind of store, each empty.
  /// - Parameter flaw: what is known to go wrong with etcd at times.
  private func withStores(flaw: Comment? = nil, _ body: (any Store) async throws -> Void) async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    try await body(store)
    await store.close()

    let cluster = try await EtcdCluster(members: 1)
    let etcd = try EtcdStore(endpoints: cluster.endpoints, timeout: .seconds(30))
    // The member answers before the client's connection to it is made.
    for _ in 0..<300 {
      do {
        try await etcd.check()
        break
      } catch { try await Task.sleep(for: .milliseconds(100)) }
    }
    if let flaw {
      await withKnownIssue(flaw, isIntermittent: true) { try await body(etcd) }
    } else {
      try await body(etcd)
    }
    await etcd.close()
    cluster.stop()
  }

  private func put(_ key: String, _ text: String, lease: LeaseID? = nil) -> Transaction.Operation {
    .put(key, Array(text.utf8), lease: lease)
  }

  @Test func keepsWhatIsPutAndForgetsWhatIsDeleted() async throws {
    try await withStores { store in
      let first = try await store.commit(Transaction([put("/a", "1"), put("/b", "2")]))
      #expect(try await store.get("/a", at: nil)?.value == Array("1".utf8))
      let second = try await store.commit(Transaction([put("/a", "3"), .delete("/b")]))
      #expect(second > first)
      let a = try await store.get("/a", at: nil)
      #expect(a?.value == Array("3".utf8) && a?.created == first && a?.modified == second)
      #expect(try await store.get("/b", at: nil) == nil)
      #expect(try await store.get("/b", at: first)?.value == Array("2".utf8))
      #expect(try await store.revision() == second)
    }
  }

  @Test func appliesATransactionWholeOrNotAtAll() async throws {
    try await withStores { store in
      let first = try await store.commit(Transaction([put("/a", "1")]))
      await #expect(throws: StoreError.self) {
        try await store.commit(
          Transaction(when: [.unchanged("/a", since: first + 7)], [put("/a", "2"), put("/b", "2")]))
      }
      await #expect(throws: StoreError.self) {
        try await store.commit(Transaction(when: [.absent("/a")], [put("/b", "2")]))
      }
      #expect(try await store.get("/a", at: nil)?.value == Array("1".utf8))
      #expect(try await store.get("/b", at: nil) == nil)
      try await store.commit(Transaction(when: [.unchanged("/a", since: first), .absent("/b")], [put("/b", "2")]))
      #expect(try await store.get("/b", at: nil) != nil)
    }
  }

  @Test func namesWhatStoodInTheWay() async throws {
    try await withStores { store in
      let first = try await store.commit(Transaction([put("/a", "1")]))
      do {
        try await store.commit(Transaction(when: [.absent("/a"), .exists("/b")], [put("/c", "2")]))
        Issue.record("must conflict")
      } catch StoreError.conflict(let found) {
        #expect(found["/a"]??.modified == first)
        #expect(found.keys.contains("/b"))
      }
    }
  }

  @Test func countsRightWhenManyCountAtOnce() async throws {
    try await withStores(
      flaw: "the connection to etcd ends at times when many tasks write through it, and a write's outcome is not known"
    ) { store in
      try await store.commit(Transaction([put("/n", "0")]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            var left = 25
            while left > 0 {
              guard let entry = try await store.get("/n", at: nil), let value = entry.value,
                let n = Int(String(decoding: value, as: UTF8.self))
              else {
                Issue.record("the counter is gone")
                return
              }
              do {
                try await store.commit(
                  Transaction(
                    when: [.unchanged("/n", since: entry.modified)], [.put("/n", Array("\(n + 1)".utf8), lease: nil)]))
                left -= 1
              } catch StoreError.conflict {}
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await store.get("/n", at: nil)?.value == Array("200".utf8))
    }
  }

  @Test func listsInPagesAsItWasThen() async throws {
    try await withStores { store in
      for i in 0..<25 { try await store.commit(Transaction([put("/p/\(String(i + 100))", "x")])) }
      try await store.commit(Transaction([put("/q", "x")]))
      let first = try await store.list(prefix: "/p/", after: nil, limit: 10, at: nil)
      #expect(first.entries.count == 10 && first.hasMore)
      try await store.commit(Transaction([.delete("/p/115"), put("/p/999", "late")]))
      var keys = first.entries.map(\.key)
      var hasMore = first.hasMore
      while hasMore {
        let page = try await store.list(prefix: "/p/", after: keys.last, limit: 10, at: first.revision)
        keys += page.entries.map(\.key)
        hasMore = page.hasMore
      }
      #expect(keys == (0..<25).map { "/p/\($0 + 100)" })
      #expect(try await store.list(prefix: "/p/", after: nil, limit: 100, at: nil).entries.count == 25)
    }
  }

  @Test func watchesFromAnEarlierRevisionOn() async throws {
    try await withStores { store in
      let first = try await store.commit(Transaction([put("/w/a", "1")]))
      try await store.commit(Transaction([put("/w/a", "2"), put("/other", "x")]))
      let stream = try await store.watch(prefix: "/w/", after: first)
      try await store.commit(Transaction([put("/other", "y")]))
      try await store.commit(Transaction([.delete("/w/a")]))
      var iterator = stream.makeAsyncIterator()
      let second = try await iterator.next()
      #expect(second?.changes.map(\.value) == [Array("2".utf8)])
      let third = try await iterator.next()
      #expect(third?.changes.count == 1 && third?.changes.first?.value == nil)
      #expect(third?.changes.first?.key == "/w/a")
    }
  }

  @Test func deletesTheKeysOfALeaseThatEnds() async throws {
    try await withStores { store in
      let lease = try await store.grantLease(ttl: 1)
      let kept = try await store.grantLease(ttl: 60)
      try await store.commit(Transaction([put("/l/a", "1", lease: lease), put("/l/b", "1", lease: kept)]))
      let stream = try await store.watch(prefix: "/l/", after: nil)
      var iterator = stream.makeAsyncIterator()
      let gone = try await iterator.next()
      #expect(gone?.changes.map(\.key) == ["/l/a"] && gone?.changes.first?.value == nil)
      await #expect(throws: StoreError.self) { try await store.keepAlive(lease) }
      try await store.keepAlive(kept)
      try await store.revoke(kept)
      #expect(try await store.get("/l/b", at: nil) == nil)
      await #expect(throws: StoreError.self) { try await store.commit(Transaction([put("/l/c", "1", lease: lease)])) }
    }
  }

  @Test func remembersAndForgetsHistory() async throws {
    try await withStores { store in
      for text in ["1", "2", "3"] { try await store.commit(Transaction([put("/h", text)])) }
      let third = try await store.revision()
      try await store.commit(Transaction([.delete("/h")]))
      try await store.commit(Transaction([put("/h", "5")]))
      let history = try await store.history("/h", limit: 10)
      #expect(history.map { $0.value.map { String(decoding: $0, as: UTF8.self) } } == ["5", nil, "3", "2", "1"])
      try await store.compact(before: third)
      #expect(try await store.get("/h", at: third)?.value == Array("3".utf8))
      await #expect(throws: StoreError.self) { _ = try await store.get("/h", at: 1) }
      await #expect(throws: (any Error).self) {
        for try await _ in try await store.watch(prefix: "/h", after: 1) { break }
      }
    }
  }

  @Test func refusesWhatIsBeyondItsLimits() async throws {
    try await withStores { store in
      for operation in [
        put("", "x"), put("/has space", "x"), put("/é", "x"), put("/" + String(repeating: "k", count: 1_024), "x"),
        .put("/big", [UInt8](repeating: 0, count: StoreLimits.value + 1), lease: nil),
      ] {
        await #expect(throws: StoreError.self) { try await store.commit(Transaction([operation])) }
      }
      await #expect(throws: StoreError.self) { try await store.commit(Transaction([])) }
      await #expect(throws: StoreError.self) { try await store.commit(Transaction([put("/a", "1"), .delete("/a")])) }
      await #expect(throws: StoreError.self) {
        try await store.commit(Transaction((0..<101).map { put("/\($0)", "1") }))
      }
      let revision = try await store.revision()
      #expect(revision == 0)
    }
  }
}
