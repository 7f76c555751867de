import WeftConfig
import WeftStore

/// What a path under `/api` or `/apis` names.
enum ResourcePath: Sendable, Hashable {
  /// `/api`, `/apis`: what there is.
  case groups
  case versions(group: String)
  case kinds(group: String, version: String)
  /// A kind, in one namespace or in all.
  case list(ResourceType, version: String, namespace: String?)
  case item(ResourceType, version: String, ResourceKey)

  /// - Throws: `APIProblem` when nothing is there; the text says what is.
  init(_ path: String) throws {
    var parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    guard path.utf8.count <= 1_024, !parts.isEmpty else { throw APIProblem(.notFound, "nothing is here") }
    let isCore = parts.removeFirst() == "api"
    if parts.isEmpty {
      self = isCore ? .versions(group: "") : .groups
      return
    }
    let group = isCore ? "" : parts.removeFirst()
    guard let version = parts.first else {
      guard ResourceType.all.contains(where: { $0.kind.group == group }) else {
        throw APIProblem(.notFound, "no group \"\(group.prefix(100))\"")
      }
      self = .versions(group: group)
      return
    }
    parts.removeFirst()
    guard ResourceType.all.contains(where: { $0.kind.group == group && $0.versions.contains(version) }) else {
      throw APIProblem(.notFound, "no version \"\(version.prefix(100))\" of group \"\(group.prefix(100))\"")
    }
    func type(_ plural: String) throws -> ResourceType {
      if let type = ResourceType.at(group: group, version: version, plural: plural) { return type }
      let known = ResourceType.all.filter { $0.kind.group == group && $0.versions.contains(version) }
      throw APIProblem(
        .notFound, "no \"\(plural.prefix(100))\" here; there are \(known.map(\.plural).joined(separator: ", "))")
    }
    func name(_ text: String, limit: Int = 253, dots: Bool = true) throws -> String {
      guard ResourceDocument.isName(text, limit: limit, dots: dots) else {
        throw APIProblem(.notFound, "\"\(text.prefix(100))\" is no name that a resource can have")
      }
      return text
    }
    switch parts.count {
    case 0: self = .kinds(group: group, version: version)
    case 1: self = .list(try type(parts[0]), version: version, namespace: nil)
    case 2:
      let type = try type(parts[0])
      guard !type.isNamespaced else {
        throw APIProblem(
          .notFound, "\(type.plural) belong to namespaces: \(type.path(namespace: "NAMESPACE", name: parts[1]))")
      }
      self = .item(type, version: version, type.key(namespace: "", name: try name(parts[1])))
    case 3, 4:
      guard parts[0] == "namespaces" else { throw APIProblem(.notFound, "nothing is here") }
      let namespace = try name(parts[1], limit: 63, dots: false)
      let type = try type(parts[2])
      guard type.isNamespaced else {
        throw APIProblem(.notFound, "\(type.plural) belong to no namespace: \(type.path())")
      }
      self =
        parts.count == 3
        ? .list(type, version: version, namespace: namespace)
        : .item(type, version: version, type.key(namespace: namespace, name: try name(parts[3])))
    default: throw APIProblem(.notFound, "nothing is here")
    }
  }
}
