import Foundation
import WeftConfig
import WeftStore

/// A part of a listing.
public struct ResourceList: Sendable {
  public var items: [JSONValue]
  /// The store's revision at which it was read: where a watch goes on.
  public var revision: Revision
  /// For the next part; nil: this is the last one.
  public var next: String?
}

/// One version of a resource.
public struct ResourceRevision: Sendable {
  public let revision: Revision
  /// nil: deleted.
  public let value: JSONValue?
  /// What the audit log tells of the change.
  public let audit: JSONValue?
}

extension ResourceService {
  /// Items of a listing at most.
  public static let listLimit = 500

  /// One resource as clients see it.
  public nonisolated func get(
    _ key: ResourceKey, at revision: Revision? = nil, version: String? = nil
  ) async throws(ResourceProblem) -> JSONValue {
    do {
      guard let entry = try await store.get(key.path, at: revision), let document = ResourceDocument(entry) else {
        throw ResourceProblem.notFound("no \(key)\(revision.map { " at revision \($0)" } ?? "")")
      }
      return document.shown(revision: entry.modified, version: version)
    } catch {
      throw Self.problem(error)
    }
  }

  /// Resources of a kind, of one namespace or of all, in the order of namespaces and names.
  /// - Parameters:
  ///   - selector: labels that they must have.
  ///   - continued: the `next` of the part before.
  public nonisolated func list(
    _ type: ResourceType, namespace: String? = nil, selector: LabelRequirements = LabelRequirements(),
    limit: Int = ResourceService.listLimit, continued: String? = nil, version: String? = nil
  ) async throws(ResourceProblem) -> ResourceList {
    let prefix = ResourceKey.prefix(
      group: type.kind.group, kind: type.kind.kind, namespace: type.isNamespaced ? namespace : nil)
    var position: (revision: Revision, key: String)?
    if let continued {
      guard let text = Data(base64Encoded: continued).map({ String(decoding: $0, as: UTF8.self) }),
        let colon = text.firstIndex(of: ":"), let revision = Revision(text[..<colon]),
        text[text.index(after: colon)...].hasPrefix(prefix)
      else { throw .malformed("\"continue\" is not what a listing of the same path has given") }
      position = (revision, String(text[text.index(after: colon)...]))
    }
    do {
      var items: [JSONValue] = []
      while true {
        let page = try await store.list(
          prefix: prefix, after: position?.key, limit: limit, at: position?.revision)
        let revision = position?.revision ?? page.revision
        for entry in page.entries {
          position = (revision, entry.key)
          guard let document = ResourceDocument(entry), selector.matches(document.value) else { continue }
          items.append(document.shown(revision: entry.modified, version: version))
          if items.count == limit { break }
        }
        guard let position, page.hasMore || position.key != page.entries.last?.key else {
          return ResourceList(items: items, revision: revision, next: nil)
        }
        if items.count == limit {
          let next = Data("\(revision):\(position.key)".utf8).base64EncodedString()
          return ResourceList(items: items, revision: revision, next: next)
        }
      }
    } catch {
      throw Self.problem(error)
    }
  }

  /// Versions of a resource that are still kept, newest first, with who made them.
  public nonisolated func history(_ key: ResourceKey, limit: Int = 50) async throws(ResourceProblem)
    -> [ResourceRevision]
  {
    do {
      let entries = try await store.history(key.path, limit: limit)
      let changes = Dictionary(
        try await audit.entries(limit: AuditLog.limit).compactMap { entry in
          entry["revision"]?.string.map { ($0, entry) }
        }, uniquingKeysWith: { first, _ in first })
      return entries.map { entry in
        ResourceRevision(
          revision: entry.modified,
          value: ResourceDocument(entry).map { $0.shown(revision: entry.modified) },
          audit: changes["\(entry.modified)"])
      }
    } catch {
      throw Self.problem(error)
    }
  }

  /// Puts an earlier version in force again, as a new one.
  /// - Parameter revision: nil: the newest one whose content differs from the present one.
  public func rollback(
    _ key: ResourceKey, to revision: Revision? = nil, by author: Author, _ options: WriteOptions = WriteOptions()
  ) async throws(ResourceProblem) -> WriteResult {
    let versions: [Entry]
    do { versions = try await store.history(key.path, limit: 1_000) } catch { throw Self.problem(error) }
    guard !versions.isEmpty else { throw .notFound("no \(key), and no history of one") }
    let present = versions.first.flatMap { ResourceDocument($0) }
    let target: ResourceDocument?
    if let revision {
      target = versions.first { $0.modified == revision }.flatMap { ResourceDocument($0) }
    } else {
      target = versions.lazy.compactMap { ResourceDocument($0) }.first { $0.content != present?.content }
    }
    guard let target else {
      let known = versions.filter { $0.value != nil }.map { "\($0.modified)" }.prefix(20).joined(separator: ", ")
      throw .notFound(
        revision.map { "\(key) has no version of revision \($0) that is still kept; there are \(known)" }
          ?? "\(key) has no earlier version that is still kept")
    }
    return try await write([ResourceChange(key, .put(target))], verb: "rollback", by: author, options)
  }

  static func problem(_ error: any Error) -> ResourceProblem {
    switch error {
    case let problem as ResourceProblem: problem
    case let error as StoreError: ResourceProblem(error)
    default: .store(.unavailable("\(error)"))
    }
  }
}

/// Labels that a listing asks for, in Kubernetes' notation: `app=shop,tier!=test,canary,!old`.
public struct LabelRequirements: Sendable, Hashable {
  enum Requirement: Sendable, Hashable {
    case equal(String, String)
    case unequal(String, String)
    case present(String)
    case absent(String)
  }

  var requirements: [Requirement] = []

  public init() {}

  /// - Throws: `ResourceProblem.malformed`
  public init(_ text: String) throws(ResourceProblem) {
    for part in text.split(separator: ",") {
      let part = part.trimmingCharacters(in: .whitespaces)
      if let range = part.range(of: "!=") {
        requirements.append(.unequal(String(part[..<range.lowerBound]), String(part[range.upperBound...])))
      } else if let range = part.range(of: "==") ?? part.range(of: "=") {
        requirements.append(.equal(String(part[..<range.lowerBound]), String(part[range.upperBound...])))
      } else if part.hasPrefix("!"), part.count > 1 {
        requirements.append(.absent(String(part.dropFirst())))
      } else if !part.isEmpty, !part.contains(" ") {
        requirements.append(.present(part))
      } else {
        throw .malformed("labelSelector \"\(part.prefix(80))\": write KEY=VALUE, KEY!=VALUE, KEY or !KEY")
      }
    }
  }

  func matches(_ resource: JSONValue) -> Bool {
    if requirements.isEmpty { return true }
    let labels = resource["metadata"]?["labels"]
    return requirements.allSatisfy { requirement in
      switch requirement {
      case .equal(let key, let value): labels?[key]?.string == value
      case .unequal(let key, let value): labels?[key]?.string != value
      case .present(let key): labels?[key] != nil
      case .absent(let key): labels?[key] == nil
      }
    }
  }
}
