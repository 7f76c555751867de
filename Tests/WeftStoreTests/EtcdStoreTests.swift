import Foundation
import TestEtcd
import Testing
import WeftStore

@Suite(.serialized)
struct EtcdStoreTests {
  private func put(_ key: String) -> Transaction { Transaction([.put(key, [1], lease: nil)]) }

  /// Repeats what a store that is not reachable for a moment refuses.
  private func persist<Value>(_ body: () async throws -> Value) async throws -> Value {
    let end = ContinuousClock.now + .seconds(180)
    while true {
      do { return try await body() } catch StoreError.unavailable(let text) {
        if ContinuousClock.now > end { throw StoreError.unavailable(text) }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  @Test func goesOnWhenMembersAreLost() async throws {
    let cluster = try await EtcdCluster(members: 3)
    defer { cluster.stop() }
    let store = try EtcdStore(endpoints: cluster.endpoints, timeout: .seconds(3))
    _ = try await persist { try await store.commit(put("/a")) }
    var watch = try await persist { try await store.watch(prefix: "/", after: 0) }.makeAsyncIterator()
    #expect(try await watch.next()?.changes.map(\.key) == ["/a"])

    // The member that serves the store is lost: another one does, and the watch goes on.
    // A write whose answer was late has been repeated, and is then seen twice.
    cluster.kill(0)
    _ = try await persist { try await store.commit(put("/b")) }
    var key: [String]?
    repeat { key = try await watch.next()?.changes.map(\.key) } while key == ["/a"]
    #expect(key == ["/b"])

    // Without a majority nothing is written, and the error says whom it asked.
    cluster.kill(1)
    do {
      try await store.commit(put("/c"))
      Issue.record("nobody can have agreed to it")
    } catch {
      #expect("\(error)".contains("http://127.0.0.1:"), "\(error)")
    }

    try cluster.start(0)
    _ = try await persist { try await store.commit(put("/d")) }
    repeat { key = try await watch.next()?.changes.map(\.key) } while key == ["/b"] || key == ["/c"]
    #expect(key == ["/d"])
    await store.close()
  }

  @Test func answersManyQuickCallsOnOneConnection() async throws {
    let cluster = try await EtcdCluster(members: 1)
    defer { cluster.stop() }
    let store = try EtcdStore(endpoints: cluster.endpoints, timeout: .seconds(30))
    _ = try await persist { try await store.commit(put("/a")) }
    var watch = try await store.watch(prefix: "/", after: 0).makeAsyncIterator()
    #expect(try await watch.next()?.changes.map(\.key) == ["/a"])
    // Many more than an HTTP/2 client takes resets, in less time: etcd sends one behind an answer that was quick.
    for number in 0..<600 {
      try await store.commit(put("/n-\(number)"))
      #expect(try await watch.next()?.changes.map(\.key) == ["/n-\(number)"])
    }
    await store.close()
  }

  @Test func namesEndpointsThatDoNotAnswer() async throws {
    let store = try EtcdStore(endpoints: ["127.0.0.1:1", "http://[::1]:1"], timeout: .seconds(2))
    do {
      try await store.check()
      Issue.record("nobody listens there")
    } catch {
      #expect("\(error)".contains("http://127.0.0.1:1") && "\(error)".contains("http://[::1]:1"), "\(error)")
    }
    await store.close()
    await #expect(throws: StoreError.self) { try await store.check() }
  }

  @Test func refusesEndpointsThatCannotBe() {
    for endpoints in [[], ["ftp://a:1"], ["http://"], ["http://a:1/path"], [""]] {
      #expect(throws: StoreError.self) { _ = try EtcdStore(endpoints: endpoints) }
    }
  }

  @Test func sharesAClusterAndEndsItsWatches() async throws {
    let cluster = try await EtcdCluster(members: 1)
    defer { cluster.stop() }
    let one = try EtcdStore(endpoints: cluster.endpoints, prefix: "/one", timeout: .seconds(30))
    let other = try EtcdStore(endpoints: cluster.endpoints, prefix: "/other", timeout: .seconds(30))
    try await one.commit(put("/a"))
    #expect(try await other.get("/a", at: nil) == nil)
    #expect(try await other.list(prefix: "", after: nil, limit: 10, at: nil).entries.isEmpty)
    #expect(try await one.list(prefix: "", after: nil, limit: 10, at: nil).entries.map(\.key) == ["/a"])
    let stream = try await one.watch(prefix: "/", after: nil)
    await one.close()
    await #expect(throws: StoreError.self) { for try await _ in stream {} }
    await other.close()
  }
}
