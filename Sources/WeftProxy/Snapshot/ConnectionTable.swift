import WeftTLS

/// What becomes of the connections of a port that does not only speak HTTP.
final class ConnectionTable: Sendable {
  enum Action: Sendable, Equatable {
    /// Requests are read from it, after TLS.
    case http
    /// Its bytes go to a backend of the rule, after TLS ends here, or without any.
    case forward(Int)
    /// Its bytes go to a backend of the rule as they are, TLS included.
    case passThrough(Int)
    /// A listener has the name, and no route does.
    case refuse
  }

  let names: ServerNameTable
  let actions: [Action]
  /// The port speaks plain TCP: what becomes of every connection.
  let plain: Action?
  /// The client's hello has to be looked at before TLS may begin.
  let peeks: Bool

  init(_ entries: [(hostname: String?, action: Action)], plain: Action? = nil) {
    names = ServerNameTable(entries.map(\.hostname))
    actions = entries.map(\.action)
    self.plain = plain
    peeks = entries.contains { if case .passThrough = $0.action { true } else { false } }
  }

  /// nil: no listener is for that name.
  func action(for serverName: String?) -> Action? { names.index(of: serverName).map { actions[$0] } }
}
