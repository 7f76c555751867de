import Foundation
import GRPCCore
import Synchronization

extension EtcdStore {
  /// The watches that are open, so that closing the store ends them.
  struct Watches {
    private var open: [Int: WatchStream.Continuation] = [:]
    private var next = 0
    private var isClosed = false

    mutating func add(_ continuation: WatchStream.Continuation) -> Int? {
      if isClosed { return nil }
      next += 1
      open[next] = continuation
      return next
    }

    mutating func remove(_ id: Int) { open[id] = nil }

    mutating func close() -> [WatchStream.Continuation] {
      isClosed = true
      defer { open = [:] }
      return Array(open.values)
    }
  }

  /// A key with the prefix of all keys.
  func bytes(_ key: String) -> Data { Data((prefix + key).utf8) }

  public func watch(prefix: String, after revision: Revision?) async throws(StoreError) -> WatchStream {
    let start: Revision = if let revision { revision } else { try await self.revision() }
    return try open(
      key: bytes(prefix), end: bytes(StoreLimits.end(of: prefix)), from: Self.number(start) + 1
    ).stream
  }

  /// Watches a range of keys, from one of etcd's revisions on; one key when `end` is empty.
  private func open(
    key: Data, end: Data, from start: Int64
  ) throws(StoreError) -> (stream: WatchStream, continuation: WatchStream.Continuation) {
    let (stream, continuation) = WatchStream.makeStream(bufferingPolicy: .bufferingOldest(WatchHub.backlog))
    guard let id = watches.withLock({ $0.add(continuation) }) else { throw .closed }
    var request = Etcdserverpb_WatchCreateRequest()
    request.key = key.isEmpty ? Data([0]) : key
    request.rangeEnd = end
    request.progressNotify = true
    let follower = EtcdWatch(request, from: start, continuation)
    let task = Task {
      await follower.run(self)
      self.watches.withLock { $0.remove(id) }
    }
    continuation.onTermination = { _ in task.cancel() }
    return (stream, continuation)
  }

  /// etcd has no call for it: the key is watched from the oldest revision that is kept up to now.
  public func history(_ key: String, limit: Int) async throws(StoreError) -> [Entry] {
    let limit = min(max(limit, 1), 10_000)
    let present = try await get(key, at: nil)
    var versions: [Entry]
    do { versions = try await self.versions(of: key, after: 0, until: present?.modified) } catch .compacted(let oldest)
    {
      versions = try await get(key, at: oldest).map { [$0] } ?? []
      if present == nil || versions.last?.modified != present?.modified {
        versions += try await self.versions(of: key, after: oldest, until: present?.modified)
      }
    }
    // Deletions say when the key came to be as the versions before them do.
    for index in versions.indices.dropFirst() where versions[index].value == nil {
      versions[index].created = versions[index - 1].created
    }
    return versions.reversed().prefix(limit).map { $0 }
  }

  /// The versions of a key behind a revision, up to one, or until none has come for a second: etcd hands out what lies
  /// behind every 100 ms.
  private func versions(
    of key: String, after revision: Revision, until last: Revision?
  ) async throws(StoreError) -> [Entry] {
    let (stream, continuation) = try open(key: bytes(key), end: Data(), from: Self.number(revision) + 1)
    let count = Counter()
    let idle: Task<Void, any Error>? =
      last != nil
      ? nil
      : Task {
        var seen = -1
        while seen != count.value.withLock({ $0 }) {
          seen = count.value.withLock { $0 }
          try await Task.sleep(for: .seconds(1))
        }
        continuation.finish()
      }
    defer {
      idle?.cancel()
      continuation.finish()
    }
    var found: [Entry] = []
    do {
      for try await batch in stream {
        count.value.withLock { $0 += 1 }
        found += batch.changes
        if let last, batch.revision >= last { break }
      }
    } catch { throw StoreError(etcd: error) }
    return found
  }

  private final class Counter: Sendable {
    let value = Mutex(0)
  }

  /// The oldest revision that is kept, once something has been forgotten: what etcd answers to a watch from the first.
  func oldest() async throws(StoreError) -> Revision {
    let stream = try open(key: Data([0]), end: Data(), from: 1).stream
    do { for try await _ in stream { break } } catch {
      if case .compacted(let oldest)? = error as? StoreError { return oldest }
      throw StoreError(etcd: error)
    }
    return 0
  }
}

/// One watch: goes on where it was, with another member, when its stream breaks.
private final class EtcdWatch: Sendable {
  private let request: Etcdserverpb_WatchCreateRequest
  private let continuation: WatchStream.Continuation
  /// etcd's revision from which on changes are yet to be handed on.
  private let next: Mutex<Int64>

  init(_ request: Etcdserverpb_WatchCreateRequest, from start: Int64, _ continuation: WatchStream.Continuation) {
    self.request = request
    self.continuation = continuation
    next = Mutex(start)
  }

  func run(_ store: EtcdStore) async {
    var pause = 50
    while !Task.isCancelled {
      let before = next.withLock { $0 }
      do {
        try await follow(store)
      } catch let error as StoreError {
        continuation.finish(throwing: error)
        return
      } catch {
        if Task.isCancelled { return }
        store.log.warning("watching etcd is interrupted, trying again: \(error)")
      }
      if next.withLock({ $0 }) != before { pause = 50 }
      do { try await Task.sleep(for: .milliseconds(pause)) } catch { return }
      pause = min(pause * 2, 2_000)
    }
  }

  private func follow(_ store: EtcdStore) async throws {
    var create = request
    create.startRevision = next.withLock { $0 }
    let message = Etcdserverpb_WatchRequest.with { $0.createRequest = create }
    try await store.client.stream { connection, options in
      try await Etcdserverpb_Watch.Client(wrapping: connection).watch(
        // Without a leader the member ends the stream, and another one may have one.
        metadata: ["hasleader": "true"], options: options,
        requestProducer: { writer in
          try await writer.write(message)
          // The stream lives as long as its request side; the end of the call cancels it.
          while true { try await Task.sleep(for: .seconds(3_600)) }
        },
        onResponse: { response in
          for try await answer in response.messages {
            if answer.canceled {
              if answer.compactRevision > 0 {
                throw StoreError.compacted(oldest: EtcdStore.revision(answer.compactRevision))
              }
              throw RPCError(code: .unavailable, message: "etcd ended the watch: \(answer.cancelReason)")
            }
            try self.take(answer, store)
          }
        })
    }
  }

  private func take(_ answer: Etcdserverpb_WatchResponse, _ store: EtcdStore) throws {
    var batches: [WatchBatch] = []
    for event in answer.events {
      let entry = store.entry(event.kv, isDeleted: event.type == .delete)
      if let last = batches.indices.last, batches[last].revision == entry.modified {
        batches[last].changes.append(entry)
      } else {
        batches.append(WatchBatch(revision: entry.modified, changes: [entry]))
      }
    }
    for batch in batches {
      switch continuation.yield(batch) {
      case .dropped: throw StoreError.compacted(oldest: batch.revision)
      default: next.withLock { $0 = EtcdStore.number(batch.revision) + 1 }
      }
    }
    // Nothing of these keys has changed up to there: a watch that breaks later need not go back further.
    if answer.events.isEmpty, !answer.created {
      let following = EtcdStore.number(EtcdStore.revision(answer.header.revision)) + 1
      next.withLock { $0 = max($0, following) }
    }
  }
}
