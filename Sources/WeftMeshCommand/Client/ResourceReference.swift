import ArgumentParser
import WeftConfig
import WeftControl
import WeftStore

/// `KIND` and `NAME` as a command line names them.
struct ResourceReference: Sendable {
  /// More than one when the word is the name of several kinds, such as `service`.
  let types: [ResourceType]

  /// - Parameter word: `httproute`, `httproutes`, `svc`, `service.weft.dev`, or `all`.
  init(kind word: String) throws {
    if word.lowercased() == "all" {
      types = ResourceType.all
      return
    }
    types = ResourceType.matching(word)
    guard types.isEmpty else { return }
    let plurals = Set(ResourceType.all.map(\.plural)).sorted()
    let near = Suggestion.nearest(
      to: word, among: plurals + Set(ResourceType.all.map { $0.kind.kind.lowercased() }).sorted())
    let advice = near.map { "did you mean \"\($0)\"?" } ?? "there are \(plurals.joined(separator: ", "))"
    throw ClientError("no kind \"\(word)\"; \(advice)")
  }

  /// Splits `KIND/NAME`.
  static func split(_ kind: String, _ names: [String]) -> (kind: String, names: [String]) {
    let parts = kind.split(separator: "/", maxSplits: 1).map(String.init)
    return parts.count == 2 && names.isEmpty ? (parts[0], [parts[1]]) : (kind, names)
  }

  /// The one resource of a name.
  func resource(_ name: String, namespace: String, _ client: ControlClient) async throws -> (ResourceType, JSONValue) {
    var found: [(ResourceType, JSONValue)] = []
    for type in types {
      do {
        found.append((type, try await client.get(type.path(namespace: namespace, name: ControlClient.escape(name)))))
      } catch let problem as ProblemAnswer where problem.status == 404 {
        continue
      }
    }
    guard let first = found.first else {
      let kinds = types.map(\.kind.description).joined(separator: " or ")
      let place = types.contains(where: \.isNamespaced) ? " in namespace \"\(namespace)\"" : ""
      throw ClientError("no \(kinds) named \"\(name)\"\(place)")
    }
    if found.count > 1 {
      let choices = found.map { "\($0.0.kind.kind.lowercased()).\($0.0.kind.group.isEmpty ? "core" : $0.0.kind.group)" }
      throw ClientError(
        "there are \(found.count) resources named \"\(name)\"; say which: \(choices.joined(separator: ", "))")
    }
    return first
  }

  /// The key of the one resource of a name, for what concerns also those that are deleted.
  func key(_ name: String, namespace: String, _ client: ControlClient) async throws -> ResourceKey {
    let type: ResourceType
    if types.count == 1, let only = types.first {
      type = only
    } else {
      type = try await resource(name, namespace: namespace, client).0
    }
    return ResourceKey(
      group: type.kind.group, kind: type.kind.kind, namespace: type.isNamespaced ? namespace : "", name: name)
  }
}

/// How resources are printed.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument { case table, wide, yaml, json, name }
