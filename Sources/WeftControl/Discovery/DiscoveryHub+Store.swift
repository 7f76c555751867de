import WeftConfig
import WeftStore

extension DiscoveryHub {
  /// Follows the store until it is cancelled: everything once, then what changes.
  func follow() async {
    var pause = Duration.milliseconds(200)
    while !Task.isCancelled {
      do {
        let revision = try await load()
        pause = .milliseconds(200)
        for try await batch in try await store.watch(prefix: ResourceKey.prefix, after: revision) {
          take(batch)
        }
      } catch {
        if Task.isCancelled { return }
        if let error = error as? StoreError {
          if case .closed = error { return }
          // What was missed is no longer told: read anew at once.
          if case .compacted = error { continue }
        }
        log.warning("discovery cannot follow the store, and tries again: \(error)")
      }
      do { try await Task.sleep(for: pause) } catch { return }
      pause = min(pause * 2, .seconds(5))
    }
  }

  private func load() async throws -> Revision {
    var entries: [Entry] = []
    var revision: Revision?
    while true {
      let page = try await store.list(
        prefix: ResourceKey.prefix, after: entries.last?.key, limit: 1_000, at: revision)
      revision = revision ?? page.revision
      entries += page.entries
      if !page.hasMore { break }
    }
    index.replace(entries, revision: revision ?? 0, to: &changes)
    isReady = true
    flush()
    for stream in streams.values { wake(stream) }
    return revision ?? 0
  }

  private func take(_ batch: WatchBatch) {
    index.apply(batch.changes, revision: batch.revision, to: &changes)
    guard !changes.isEmpty else { return }
    lastChange = .now
    if firstChange == nil {
      firstChange = lastChange
      Task { await settle() }
    }
  }

  /// Waits until changes pause, not for ever, and then tells the streams.
  private func settle() async {
    while let first = firstChange {
      let end = min(lastChange + options.debounce, first + options.patience)
      if ContinuousClock.now >= end { break }
      do { try await Task.sleep(until: end, clock: .continuous) } catch { break }
    }
    flush()
  }

  /// Marks what changed for those whom it concerns.
  private func flush() {
    firstChange = nil
    let changed = changes
    changes = [:]
    for (kind, names) in changed {
      guard let table = subscribers[kind] else { continue }
      for (name, keys) in names {
        mark(kind, name, table["*"])
        mark(kind, name, table[name])
        for key in keys { mark(kind, name, table[key]) }
      }
    }
  }

  private func mark(_ kind: ResourceKind, _ name: String, _ concerned: Set<UInt64>?) {
    for number in concerned ?? [] {
      guard let stream = streams[number] else { continue }
      if let place = stream.place(kind) { stream.change(place) { _ = $0.pending.insert(name) } }
      wake(stream)
    }
  }
}
