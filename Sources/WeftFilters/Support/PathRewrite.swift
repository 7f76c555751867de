import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftRegex

/// A new path for a rewrite or redirect. The query always stays as it is.
public struct PathRewrite: Sendable {
  enum Change: Sendable {
    case whole(OwnedBytes)
    /// Without a slash at its end.
    case prefix(OwnedBytes)
    case pattern(Pattern, Replacement)
  }

  let change: Change

  /// Takes the place of the whole path; empty: `/`.
  public static func replaceFullPath(_ path: String) throws(InvalidFilterValue) -> PathRewrite {
    try check(path)
    return PathRewrite(change: .whole(OwnedBytes(path.isEmpty ? "/" : path)))
  }

  /// Takes the place of the prefix that the route's match found, in whole path elements: with the prefix `/a`, `/a/b`
  /// becomes `/x/b` by `/x`, and `/b` by an empty text or `/`. Without a prefix match, the path stays as it is.
  public static func replacePrefixMatch(_ path: String) throws(InvalidFilterValue) -> PathRewrite {
    try check(path)
    return PathRewrite(change: .prefix(OwnedBytes(path.hasSuffix("/") ? String(path.dropLast()) : path)))
  }

  /// Every match of `pattern` in the path becomes `substitution`, in which `$1` stands for a group.
  public static func replaceRegexMatch(
    pattern: String, substitution: String
  ) throws(InvalidFilterValue) -> PathRewrite {
    do {
      let compiled = try Pattern(pattern, anchoring: .anywhere)
      return PathRewrite(change: .pattern(compiled, try Replacement(substitution, for: compiled)))
    } catch {
      throw InvalidFilterValue(error.description)
    }
  }

  public init(_ modifier: HTTPPathModifier) throws(InvalidFilterValue) {
    switch modifier {
    case .replaceFullPath(let path): self = try .replaceFullPath(path)
    case .replacePrefixMatch(let path): self = try .replacePrefixMatch(path)
    }
  }

  private init(change: Change) { self.change = change }

  private static func check(_ path: String) throws(InvalidFilterValue) {
    if path.isEmpty { return }
    let bytes = OwnedBytes(path)
    if !path.hasPrefix("/") { throw InvalidFilterValue("\"\(path)\" must begin with \"/\"") }
    if bytes.bytes.firstIndex(of: 0x3f) != nil || !MessageHead.isTarget(bytes.bytes) {
      throw InvalidFilterValue("\"\(path)\" has characters that a path cannot have; write them as %XX")
    }
  }

  // MARK: Configuration

  private enum ChangeType: String, CaseIterable {
    case replaceFullPath = "ReplaceFullPath"
    case replacePrefixMatch = "ReplacePrefixMatch"
    case replaceRegexMatch = "ReplaceRegexMatch"

    var field: String {
      switch self {
      case .replaceFullPath: "replaceFullPath"
      case .replacePrefixMatch: "replacePrefixMatch"
      case .replaceRegexMatch: "replaceRegexMatch"
      }
    }
  }

  /// Reads the Gateway API's HTTPPathModifier and, as an extension of it, `ReplaceRegexMatch`.
  init?(_ reader: ObjectReader) throws {
    guard let type: ChangeType = reader.required("type", placeholder: nil, { try $0.enumeration(ChangeType.self) })
    else { return nil }
    for other in ChangeType.allCases where other != type && reader.has(other.field) {
      reader.error(other.field, "must not be given with type \(type.rawValue)")
    }
    switch type {
    case .replaceFullPath:
      let path = reader.string(type.field, .length(0...1024))
      self = try PathRewrite.at(type.field, reader) { try .replaceFullPath(path) }
    case .replacePrefixMatch:
      let path = reader.string(type.field, .length(0...1024))
      self = try PathRewrite.at(type.field, reader) { try .replacePrefixMatch(path) }
    case .replaceRegexMatch:
      let regex = reader.object(type.field)
      let pattern = regex.string("pattern", .length(1...4096))
      let substitution = regex.string("substitution", .length(0...1024))
      if pattern.isEmpty { return nil }
      self = try PathRewrite.at(type.field, reader) {
        try .replaceRegexMatch(pattern: pattern, substitution: substitution)
      }
    }
  }

  private static func at(
    _ field: String, _ reader: ObjectReader, _ make: () throws -> PathRewrite
  ) throws -> PathRewrite {
    do {
      return try make()
    } catch let error as InvalidFilterValue {
      guard let node = reader.rawNode(field) else { throw error }
      throw node.error(error.description)
    }
  }
}

/// Makes new targets on one worker.
final class PathRewriter {
  private let change: PathRewrite.Change
  private let scratch: PatternScratch?
  private var output = GrowableBytes()
  /// Bytes that a new target may have.
  static let targetLimit = 16 * 1024

  init(_ rewrite: PathRewrite) throws {
    change = rewrite.change
    if case .pattern = rewrite.change { scratch = try PatternScratch() } else { scratch = nil }
  }

  /// The target with its new path: in memory of this object, until the next call. Nil when there is none: the pattern
  /// took too long, or what came out is no valid target.
  func target(_ exchange: Exchange) -> Bytes? {
    let path = exchange.request.path
    let query = exchange.request.headers.text(exchange.request.target).slice(path.count, Int.max)
    output.reset()
    if path.isEmpty || path[0] != 0x2f { return exchange.request.headers.text(exchange.request.target) }
    var isWhole = true
    switch change {
    case .whole(let new): isWhole = append(new.bytes)
    case .prefix(let new):
      var length = min(exchange.matchedPrefixLength, path.count)
      if length == 0 {
        isWhole = append(path)
        break
      }
      if path[length &- 1] == 0x2f { length &-= 1 }
      isWhole = append(new.bytes) && append(path.slice(length, path.count))
      if output.isEmpty { isWhole = append(Bytes("/")) }
    case .pattern(let pattern, let replacement):
      isWhole = replace(pattern, replacement, path)
    }
    return isWhole && append(query) && MessageHead.isTarget(output.bytes) ? output.bytes : nil
  }

  private func append(_ bytes: Bytes) -> Bool { output.append(bytes, limit: Self.targetLimit) }

  private func replace(_ pattern: Pattern, _ replacement: Replacement, _ path: Bytes) -> Bool {
    switch scratch {
    case .none: return false
    case .some(let scratch):
      do {
        _ = try pattern.replace(
          in: path, with: replacement, all: true, into: &output, limit: Self.targetLimit, scratch: scratch)
        return true
      } catch {
        return false
      }
    }
  }
}
