import Foundation
import Testing
import WeftStore

struct SQLiteStoreTests {
  private func put(_ key: String) -> Transaction { Transaction([.put(key, [1], lease: nil)]) }

  @Test func findsEverythingAgainAfterARestart() async throws {
    let folder = try TemporaryFolder()
    let first = try await SQLiteStore(folder: folder.path)
    try await first.commit(put("/a"))
    let lease = try await first.grantLease(ttl: 60)
    await first.close()
    let second = try await SQLiteStore(folder: folder.path)
    #expect(try await second.revision() == 1)
    #expect(try await second.get("/a", at: nil) != nil)
    try await second.keepAlive(lease)
    #expect(try await second.commit(put("/b")) == 2)
    await second.close()
    await #expect(throws: StoreError.self) { _ = try await second.revision() }
  }

  @Test func letsNobodyElseIn() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    do {
      _ = try await SQLiteStore(folder: folder.path)
      Issue.record("two processes would write one file")
    } catch {
      #expect("\(error)".contains("\(getpid())"))
    }
    await store.close()
    await (try await SQLiteStore(folder: folder.path)).close()
  }

  @Test func saysWhatADamagedFileNeeds() async throws {
    let folder = try TemporaryFolder()
    try Data(repeating: 0x55, count: 8_192).write(to: URL(fileURLWithPath: "\(folder.path)/weft.db"))
    do {
      _ = try await SQLiteStore(folder: folder.path)
      Issue.record("the file is no database")
    } catch {
      #expect("\(error)".contains("damaged") && "\(error)".contains("backup"))
    }
  }

  @Test func backsUpWhileItIsUsed() async throws {
    let folder = try TemporaryFolder()
    let copies = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    try await store.commit(put("/a"))
    try await store.backup(to: "\(copies.path)/weft.db")
    await #expect(throws: StoreError.self) { try await store.backup(to: "\(copies.path)/weft.db") }
    await store.close()
    let copy = try await SQLiteStore(folder: copies.path)
    #expect(try await copy.get("/a", at: nil) != nil)
    await copy.close()
  }

  @Test func cutsOffWhoDoesNotKeepUp() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    let stream = try await store.watch(prefix: "/", after: nil)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<16 {
        group.addTask { for i in 0..<300 { try await store.commit(put("/\(task)/\(i)")) } }
      }
      try await group.waitForAll()
    }
    await #expect(throws: StoreError.self) { for try await _ in stream {} }
    #expect(try await store.revision() == 4_800)
    await store.close()
  }
}
