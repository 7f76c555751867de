/// Where a part of a resource was written. Equal to every other origin, so that resources compare by content alone and
/// a moved or reformatted file is no change.
public struct Origin: Sendable, Hashable, CustomReflectable {
  public let location: SourceLocation
  public let path: FieldPath

  public init(_ location: SourceLocation, _ path: FieldPath = .root) {
    self.location = location
    self.path = path
  }

  init(_ node: ConfigNode) {
    self.init(node.location, node.path)
  }

  public static func == (left: Origin, right: Origin) -> Bool { true }

  public func hash(into hasher: inout Hasher) {}

  /// Nothing: text made of a resource, like its equality, does not depend on places.
  public var customMirror: Mirror { Mirror(self, children: [:]) }

  public func error(_ message: String) -> Diagnostic { Diagnostic(.error, at: location, path: path, message) }

  public func warning(_ message: String) -> Diagnostic { Diagnostic(.warning, at: location, path: path, message) }
}
