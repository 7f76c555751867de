/// What somebody may do at the API.
public enum APIRole: String, Sendable, Codable, CaseIterable {
  /// Reads everything but Secrets, tokens and the audit log.
  case viewer
  /// Reads what a viewer reads, and pushes bundles.
  case publisher
  /// Reads and changes resources, Secrets too.
  case editor
  /// Everything: tokens and the audit log too.
  case admin

  func permits(_ permission: APIPermission) -> Bool {
    switch permission {
    case .read: true
    case .publish: self != .viewer && self != .editor
    case .readSecrets, .write: self == .editor || self == .admin
    case .administer: self == .admin
    }
  }
}

/// What an endpoint asks for.
public enum APIPermission: String, Sendable, CaseIterable {
  case read
  case readSecrets
  case write
  case publish
  case administer

  /// The roles that have it, for messages and documents.
  var roles: [APIRole] { APIRole.allCases.filter { $0.permits(self) } }
}
