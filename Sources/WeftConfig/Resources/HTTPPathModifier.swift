/// A new path for a redirect or rewrite.
public enum HTTPPathModifier: Sendable, Hashable {
  /// Takes the place of the whole path.
  case replaceFullPath(String)
  /// Takes the place of the prefix that the rule's match found.
  case replacePrefixMatch(String)

  private enum ModifierType: String, CaseIterable {
    case replaceFullPath = "ReplaceFullPath"
    case replacePrefixMatch = "ReplacePrefixMatch"
  }

  init(_ reader: ObjectReader) {
    let type: ModifierType = reader.enumeration("type")
    let full = reader.optionalString("replaceFullPath", .length(0...1024), .replacementPath)
    let prefix = reader.optionalString("replacePrefixMatch", .length(0...1024), .replacementPath)
    switch type {
    case .replaceFullPath:
      if full == nil, !reader.has("replaceFullPath") { reader.missing("replaceFullPath") }
      if prefix != nil { reader.error("replacePrefixMatch", "must not be given with type ReplaceFullPath") }
      self = .replaceFullPath(full ?? "")
    case .replacePrefixMatch:
      if prefix == nil, !reader.has("replacePrefixMatch") { reader.missing("replacePrefixMatch") }
      if full != nil { reader.error("replaceFullPath", "must not be given with type ReplacePrefixMatch") }
      self = .replacePrefixMatch(prefix ?? "")
    }
  }

  var isPrefix: Bool {
    if case .replacePrefixMatch = self { true } else { false }
  }
}

extension StringRule {
  /// A path that goes into a request line or a Location: empty, or absolute.
  static let replacementPath = StringRule { path in
    guard !path.isEmpty else { return nil }
    guard path.hasPrefix("/") else { return "\"\(path)\" must begin with \"/\"" }
    return PathSyntax.isValid(path) ? nil : "\"\(path)\" has characters that a path cannot have; write them as %XX"
  }
}
