import Foundation
import WeftStore

/// Commits without end.
func writeForEver(_ folder: String) async throws {
  let store = try await SQLiteStore(folder: folder)
  let start = try await store.revision()
  await withTaskGroup(of: Void.self) { group in
    for task in 0..<8 {
      group.addTask {
        var count = 0
        while true {
          count += 1
          let key = "/\(task)/\(start)/\(count % 50)"
          guard let revision = await acknowledged(key, count, store) else { exit(1) }
          say("\(revision) \(key)")
        }
      }
    }
  }
}

/// The revision of a commit; nil after saying why it failed.
private func acknowledged(_ key: String, _ count: Int, _ store: SQLiteStore) async -> Revision? {
  do {
    return try await store.commit(Transaction([.put(key, Array("\(count)".utf8), lease: nil)]))
  } catch {
    say("failed \(error)")
    return nil
  }
}

/// Writes until the disk is "full", and on when it is not any more.
func fillUp(_ folder: String) async throws {
  let store = try await SQLiteStore(folder: folder)
  signal(SIGXFSZ, SIG_IGN)
  let resource = __rlimit_resource_t(bitPattern: RLIMIT_FSIZE.rawValue)
  var limit = rlimit()
  guard getrlimit(resource, &limit) == 0 else { exit(1) }
  let before = limit
  limit.rlim_cur = 512 << 10
  guard setrlimit(resource, &limit) == 0 else { exit(1) }
  var written = 0
  do {
    while written < 1_000 {
      try await store.commit(Transaction([.put("/\(written)", [UInt8](repeating: 7, count: 16_384), lease: nil)]))
      written += 1
    }
    say("never full")
    exit(1)
  } catch {
    // Compared as text: a pattern for the case of a typed error at top level crashes the compiler (6.3.1).
    let text = "\(error)"
    guard text.contains("make room") || text.contains("limit") else {
      say("failed \(text)")
      exit(1)
    }
    say("full \(text)")
  }
  limit = before
  guard setrlimit(resource, &limit) == 0 else { exit(1) }
  let revision = try await store.commit(Transaction([.put("/again", [1], lease: nil)]))
  guard revision == UInt64(written + 1) else {
    say("revision \(revision) after \(written) commits")
    exit(1)
  }
  try await store.check()
  await store.close()
  let again = try await SQLiteStore(folder: folder)
  for index in 0..<written where try await again.get("/\(index)", at: nil)?.value?.count != 16_384 {
    say("/\(index) is lost")
    exit(1)
  }
  try await again.checkIntegrity()
  await again.close()
  say("recovered \(written)")
}
