import Foundation
import WeftStore

// A process for the tests of the store to kill: `StoreWriter FOLDER` commits without end and says on its output what was
// acknowledged, `REVISION KEY` a line. `StoreWriter FOLDER full` writes until a limit on the size of files stands in
// the way, lifts it, and writes again. `StoreWriter FOLDER|http://HOST:PORT measure` says how fast a store is.

func say(_ text: String) {
  let line = Array("\(text)\n".utf8)
  // One write, so that a line is whole or not there.
  if write(1, line, line.count) != line.count { exit(1) }
}

let arguments = CommandLine.arguments
guard arguments.count >= 2 else {
  print("usage: StoreWriter FOLDER [full|measure]")
  exit(2)
}
if arguments.count == 3, arguments[2] == "measure" {
  try await measure(arguments[1])
  exit(0)
}
let store = try await SQLiteStore(folder: arguments[1])

if arguments.count == 2 {
  let start = try await store.revision()
  await withTaskGroup(of: Void.self) { group in
    for task in 0..<8 {
      group.addTask {
        var count = 0
        while true {
          count += 1
          let key = "/\(task)/\(start)/\(count % 50)"
          do {
            let revision = try await store.commit(Transaction([.put(key, Array("\(count)".utf8), lease: nil)]))
            say("\(revision) \(key)")
          } catch {
            say("failed \(error)")
            exit(1)
          }
        }
      }
    }
  }
} else {
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
  } catch StoreError.unavailable(let text) { say("full \(text)") }
  limit = before
  guard setrlimit(resource, &limit) == 0 else { exit(1) }
  let revision = try await store.commit(Transaction([.put("/again", [1], lease: nil)]))
  guard revision == UInt64(written + 1) else {
    say("revision \(revision) after \(written) commits")
    exit(1)
  }
  try await store.check()
  await store.close()
  let again = try await SQLiteStore(folder: arguments[1])
  for index in 0..<written where try await again.get("/\(index)", at: nil)?.value?.count != 16_384 {
    say("/\(index) is lost")
    exit(1)
  }
  try await again.checkIntegrity()
  await again.close()
  say("recovered \(written)")
}
