import WeftConfig
import WeftStore

/// One thing that a write does.
public struct ResourceChange: Sendable {
  public enum Action: Sendable {
    /// Puts it there, whether or not it was.
    case put(ResourceDocument)
    /// Changes what is there.
    case edit(@Sendable (ResourceDocument) throws(ResourceProblem) -> ResourceDocument)
    case delete
  }

  public enum Precondition: Sendable {
    case none
    case absent
    case exists
    /// Last changed at this revision.
    case revision(Revision)
  }

  public let key: ResourceKey
  public let action: Action
  public let precondition: Precondition

  public init(_ key: ResourceKey, _ action: Action, when precondition: Precondition = .none) {
    self.key = key
    self.action = action
    self.precondition = precondition
  }
}

/// How a write is done.
public struct WriteOptions: Sendable {
  /// Everything is checked and nothing is stored.
  public var isDryRun = false
  /// Deletes what others refer to.
  public var isForced = false
  /// What the client calls itself, for the audit log.
  public var fieldManager: String?

  public init() {}
}

/// Who asks, for the audit log.
public struct Author: Sendable, Hashable {
  /// `token:NAME`, a SPIFFE ID, or `local`.
  public var name: String
  public var role: String
  /// The address of the client's end of the connection.
  public var address: String

  public init(name: String, role: String, address: String) {
    self.name = name
    self.role = role
    self.address = address
  }

  /// The control plane itself.
  public static let itself = Author(name: "control", role: "admin", address: "")
}

/// What became of one change.
public struct ResourceResult: Sendable {
  public enum Outcome: String, Sendable { case created, configured, unchanged, deleted }

  public let key: ResourceKey
  public let outcome: Outcome
  /// As it is now; as it was for one that was deleted.
  public let document: ResourceDocument
  public let before: ResourceDocument?
  /// The revision of its last change; 0 in a dry run for what would change.
  public internal(set) var revision: Revision
}

/// What a write has led to.
public struct WriteResult: Sendable {
  public internal(set) var results: [ResourceResult]
  /// What is said of the resources that were changed, and of others because of the change.
  public let warnings: [ResourceFinding]
  /// The store's revision; 0 when nothing was written.
  public internal(set) var revision: Revision
}
