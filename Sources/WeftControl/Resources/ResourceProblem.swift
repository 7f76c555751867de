import Foundation
import WeftConfig
import WeftStore

/// Why a request about resources is not done. Each has its answer of HTTP; see `APIProblem`.
public enum ResourceProblem: Error, Sendable, CustomStringConvertible {
  /// The request is malformed; the text says where and how.
  case malformed(String)
  case notFound(String)
  /// It is there already, was changed by somebody else, or is in use.
  case conflict(String, [ResourceFinding])
  /// The resource, or what others say of it, would be wrong.
  case invalid([ResourceFinding])
  /// That revision, or the history after it, is no longer kept.
  case gone(String)
  case tooLarge(String)
  /// The API does not change resources of that kind.
  case readOnly(String)
  case store(StoreError)

  public var description: String {
    switch self {
    case .malformed(let text), .notFound(let text), .gone(let text), .tooLarge(let text), .readOnly(let text): text
    case .conflict(let text, let findings): ([text] + findings.map(\.description)).joined(separator: "\n")
    case .invalid(let findings): findings.map(\.description).joined(separator: "\n")
    case .store(let error): error.description
    }
  }

  init(_ error: StoreError) {
    self = if case .compacted = error { .gone(error.description) } else { .store(error) }
  }
}

/// Something about one resource, as `weft check` says it, without the file and line, which only the client knows. Equal to
/// another one that says the same and suggests something else.
public struct ResourceFinding: Sendable, Hashable, CustomStringConvertible {
  public let isError: Bool
  /// nil when it concerns no resource in particular.
  public let resource: ResourceKey?
  /// The field, `spec.rules[0].filters[1].type`; empty for the resource as a whole.
  public let path: String
  public let message: String

  public init(isError: Bool = true, resource: ResourceKey?, path: String = "", _ message: String) {
    self.isError = isError
    self.resource = resource
    self.path = path
    self.message = message
  }

  public var description: String {
    let place = resource.map { "\($0): " } ?? ""
    return place + (isError ? "" : "warning: ") + (path.isEmpty ? "" : "\(path): ") + message
  }

  public static func == (left: ResourceFinding, right: ResourceFinding) -> Bool {
    left.isError == right.isError && left.resource == right.resource && left.path == right.path
      && left.statement == right.statement
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(isError)
    hasher.combine(resource)
    hasher.combine(path)
    hasher.combine(statement)
  }

  /// The message without its suggestion: what is near to a name changes with resources that are not concerned.
  private var statement: Substring {
    guard let start = message.range(of: "; did you mean "), let end = message[start.upperBound...].firstIndex(of: "?")
    else {
      return message[...]
    }
    return message[..<start.lowerBound] + message[message.index(after: end)...]
  }
}
