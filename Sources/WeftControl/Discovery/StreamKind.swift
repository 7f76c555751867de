import WeftConfig

/// What one stream asks for and has of one kind of resource.
struct StreamKind {
  /// A type as a proxy writes it, and the kind that it means. One object for all streams.
  final class Name: Sendable {
    let text: String
    let kind: ResourceKind

    init(_ text: String, _ kind: ResourceKind) {
      self.text = text
      self.kind = kind
    }
  }

  /// A delta that was sent and not answered yet.
  final class Outstanding: Sendable {
    let nonce: String
    let names: [String]
    let revision: UInt64

    init(nonce: String, names: [String], revision: UInt64) {
      self.nonce = nonce
      self.names = names
      self.revision = revision
    }
  }

  let type: Name
  var subscriptions = NameSet()
  /// What the proxy has.
  var sent = NameTable<ResourceVersion>()
  /// Names that may differ from what it has.
  var pending: Set<String> = []
  /// Subscriptions that no delta has answered yet.
  var unanswered: Set<String> = []
  var outstanding: Outstanding?

  init(type: Name) { self.type = type }

  /// Whether a delta may be due.
  var isWaiting: Bool { outstanding == nil && !(pending.isEmpty && unanswered.isEmpty) }

  func isSubscribed(to resource: IndexedResource) -> Bool {
    subscriptions.contains(resource.name) || resource.keys.contains { subscriptions.contains($0) }
      || subscriptions.contains("*")
  }
}
