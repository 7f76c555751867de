import WeftStore

/// Commits a second, and how long reading takes among 20,000 entries of 1 KiB, of a store in a folder or of an etcd.
func measure(_ place: String) async throws {
  let store: any Store =
    if place.contains("://") { try EtcdStore(endpoints: [place]) } else { try await SQLiteStore(folder: place) }
  let value = [UInt8](repeating: 7, count: 1_024)
  for tasks in [1, 64] {
    let each = tasks == 1 ? 500 : 100
    let time = try await ContinuousClock().measure {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<tasks {
          group.addTask {
            for index in 0..<each {
              try await store.commit(Transaction([.put("/commits/\(task)/\(index)", value, lease: nil)]))
            }
          }
        }
        try await group.waitForAll()
      }
    }
    print("\(tasks) tasks: \(Int(Double(tasks * each) / (time / .seconds(1)))) commits/s")
  }
  for first in stride(from: 0, to: 20_000, by: 100) {
    try await store.commit(
      Transaction((first..<first + 100).map { .put("/entries/\(100_000 + $0)", value, lease: nil) }))
  }
  let get = try await ContinuousClock().measure {
    for index in 0..<1_000 { _ = try await store.get("/entries/\(100_000 + index * 19)", at: nil) }
  }
  print("get: \(get / 1_000)")
  var count = 0
  let list = try await ContinuousClock().measure {
    var page = try await store.list(prefix: "/entries/", after: nil, limit: 1_000, at: nil)
    count += page.entries.count
    while page.hasMore, let last = page.entries.last {
      page = try await store.list(prefix: "/entries/", after: last.key, limit: 1_000, at: page.revision)
      count += page.entries.count
    }
  }
  print("list of \(count) in pages of 1,000: \(list)")
  await store.close()
}
