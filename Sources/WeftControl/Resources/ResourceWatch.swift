import Foundation
import WeftConfig
import WeftStore

/// Changes to the resources of a kind, as they come.
public struct ResourceWatch: Sendable {
  public enum Event: Sendable {
    case added(JSONValue)
    case modified(JSONValue)
    case deleted(JSONValue)
    /// Everything up to this revision was told.
    case bookmark(Revision)

    /// A line of a watch, as Kubernetes has it.
    public func json(_ type: ResourceType, version: String) -> JSONValue {
      switch self {
      case .added(let object): ["type": "ADDED", "object": object]
      case .modified(let object): ["type": "MODIFIED", "object": object]
      case .deleted(let object): ["type": "DELETED", "object": object]
      case .bookmark(let revision):
        [
          "type": "BOOKMARK",
          "object": [
            "apiVersion": .string(type.apiVersion(version)), "kind": .string(type.kind.kind),
            "metadata": ["resourceVersion": .string("\(revision)")],
          ],
        ]
      }
    }
  }

  let store: any Store
  let type: ResourceType
  let namespace: String?
  let name: String?
  let selector: LabelRequirements
  let version: String

  public init(
    _ store: any Store, _ type: ResourceType, namespace: String? = nil, name: String? = nil,
    selector: LabelRequirements = LabelRequirements(), version: String
  ) {
    self.store = store
    self.type = type
    self.namespace = namespace
    self.name = name
    self.selector = selector
    self.version = version
  }

  private var prefix: String {
    if let name { return type.key(namespace: namespace ?? "default", name: name).path }
    return ResourceKey.prefix(
      group: type.kind.group, kind: type.kind.kind, namespace: type.isNamespaced ? namespace : nil)
  }

  /// Begins to watch.
  /// - Returns: batches of all resources, so that those of other kinds move bookmarks on.
  public func begin(after revision: Revision) async throws(ResourceProblem) -> WatchStream {
    do {
      // A revision that is no longer kept, or not yet there, is refused at once rather than in the stream.
      _ = try await store.get(prefix, at: revision)
      return try await store.watch(prefix: ResourceKey.prefix, after: revision)
    } catch {
      throw ResourceProblem(error)
    }
  }

  /// The events of one batch; a bookmark alone when it has nothing of this watch.
  public func events(of batch: WatchBatch) async -> [Event] {
    var events: [Event] = []
    for change in batch.changes {
      guard name == nil ? change.key.hasPrefix(prefix) : change.key == prefix else { continue }
      if let document = ResourceDocument(change) {
        guard selector.matches(document.value) else { continue }
        let shown = document.shown(revision: change.modified, version: version)
        events.append(change.created == change.modified ? .added(shown) : .modified(shown))
      } else if change.value == nil, let key = ResourceKey(change.key) {
        // As it last was, when that is still known.
        let last = try? await store.get(change.key, at: batch.revision - 1)
        if let last, let document = ResourceDocument(last) {
          guard selector.matches(document.value) else { continue }
          events.append(.deleted(document.shown(revision: batch.revision, version: version)))
        } else {
          events.append(
            .deleted([
              "apiVersion": .string(type.apiVersion(version)), "kind": .string(type.kind.kind),
              "metadata": [
                "name": .string(key.name), "namespace": .string(key.namespace),
                "resourceVersion": .string("\(batch.revision)"),
              ],
            ]))
        }
      }
    }
    return events.isEmpty ? [.bookmark(batch.revision)] : events
  }
}
