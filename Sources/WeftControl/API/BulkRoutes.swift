import HTTPTypes
import Hummingbird
import WeftConfig
import WeftStore

/// Many resources in one transaction, and what the history of resources offers.
struct BulkRoutes: Sendable {
  let resources: ResourceService

  /// Resources of one request.
  static let limit = 5_000

  var endpoints: [APIEndpoint] {
    [
      APIEndpoint(
        .post, "/weft/v1/apply", .write,
        "Creates or replaces resources: a body {\"resources\": [...]}. All are checked together, and nothing is stored when one is wrong",
        query: ["dryRun", "fieldManager", "objects"], hasBody: true, apply),
      APIEndpoint(
        .post, "/weft/v1/delete", .write,
        "Deletes resources: a body {\"resources\": [{\"apiVersion\", \"kind\", \"metadata\": {\"namespace\", \"name\"}}]}",
        query: ["dryRun", "fieldManager", "force", "ignoreNotFound"], hasBody: true, delete),
      APIEndpoint(
        .get, "/weft/v1/findings", .read,
        "Everything that is wrong or odd about the resources at present, as weft check says it",
        { _, _ in
          let findings = try await resources.findings()
          return Response([
            "findings": .array(findings.prefix(1_000).map(\.json)), "total": .number("\(findings.count)"),
          ])
        }),
      APIEndpoint(
        .get, "/weft/v1/history/{group}/{kind}/{namespace}/{name}", .read,
        "Versions of a resource, newest first. The group of core kinds is \"core\", the namespace of kinds without one \"_\"",
        query: ["limit", "objects"], history),
      APIEndpoint(
        .post, "/weft/v1/rollback", .write,
        "Puts an earlier version of a resource in force again: a body {\"group\", \"kind\", \"namespace\", \"name\", \"revision\"}; without a revision, the one before the present",
        query: ["dryRun", "fieldManager"], hasBody: true, rollback),
      APIEndpoint(
        .get, "/weft/v1/audit", .administer, "Who changed what, and who got a certificate or none, newest first",
        query: ["limit", "of"], audit),
    ]
  }

  @Sendable private func audit(_ request: Request, _ context: APIContext) async throws -> Response {
    let query = APIQuery(request)
    let limit = try query.number("limit", in: 1...AuditLog.limit) ?? 100
    let kind = query.text("of")
    guard [nil, "changes", "identities"].contains(kind) else {
      throw APIProblem(.badRequest, "of is changes or identities")
    }
    var entries: [JSONValue] = []
    if kind != "identities" { entries += try await resources.audit.entries(limit: limit) }
    if kind != "changes" {
      entries += try await AuditLog(resources.store, prefix: IdentityAudit.prefix).entries(limit: limit)
    }
    // Ids begin with the time.
    entries.sort { ($0["id"]?.string ?? "") > ($1["id"]?.string ?? "") }
    return Response(["entries": .array(Array(entries.prefix(limit)))])
  }

  private static func list(_ request: Request) async throws -> [JSONValue] {
    let body = try await APIBody.value(request, limit: APIBody.manyLimit)
    guard let list = body["resources"]?.array, !list.isEmpty else {
      throw APIProblem(.badRequest, "the body is {\"resources\": [...]}, with at least one")
    }
    guard list.count <= limit else {
      throw APIProblem(.contentTooLarge, "\(list.count) resources; at most \(limit) are taken at a time")
    }
    return list
  }

  @Sendable private func apply(_ request: Request, _ context: APIContext) async throws -> Response {
    let query = APIQuery(request)
    let changes = try await Self.list(request).map { value in
      let document = try ResourceDocument(value)
      return ResourceChange(
        document.key, .put(document), when: try ResourceRoutes.precondition(value) ?? .none)
    }
    let result = try await resources.write(changes, verb: "apply", by: context.author, try query.writeOptions)
    return Self.answer(result, objects: try query.flag("objects"), mayReadSecrets: true)
  }

  @Sendable private func delete(_ request: Request, _ context: APIContext) async throws -> Response {
    let query = APIQuery(request)
    let ignoresMissing = try query.flag("ignoreNotFound")
    var changes: [ResourceChange] = []
    for value in try await Self.list(request) {
      let document = try ResourceDocument(value)
      if ignoresMissing {
        let isThere = try await resources.store.get(document.key.path, at: nil) != nil
        if !isThere { continue }
      }
      changes.append(ResourceChange(document.key, .delete, when: try ResourceRoutes.precondition(value) ?? .exists))
    }
    let result = try await resources.write(changes, verb: "delete", by: context.author, try query.writeOptions)
    return Self.answer(result, objects: false, mayReadSecrets: true)
  }

  static func answer(_ result: WriteResult, objects: Bool, mayReadSecrets: Bool) -> Response {
    let results = result.results.map { result -> JSONValue in
      var value = result.key.json
      value["apiVersion"] = .string(result.document.type.apiVersion)
      value["outcome"] = .string(result.outcome.rawValue)
      if result.revision > 0 { value["resourceVersion"] = .string("\(result.revision)") }
      if objects {
        value["before"] = result.before.map(\.content)
        value["after"] = result.outcome == .deleted ? nil : result.document.content
      }
      return value
    }
    return Response([
      "revision": .string("\(result.revision)"), "results": .array(results),
      "warnings": .array(result.warnings.prefix(APIProblem.findingLimit).map(\.json)),
    ])
  }

  @Sendable private func history(_ request: Request, _ context: APIContext) async throws -> Response {
    let query = APIQuery(request)
    let key = try Self.key([
      "group": .string(try context.parameter("group")), "kind": .string(try context.parameter("kind")),
      "namespace": .string(try context.parameter("namespace")), "name": .string(try context.parameter("name")),
    ])
    if key.kind == "Secret" { try context.require(.readSecrets) }
    let versions = try await resources.history(key, limit: try query.number("limit", in: 1...1_000) ?? 50)
    if versions.isEmpty { throw APIProblem(.notFound, "no \(key), and no history of one") }
    let objects = try query.flag("objects")
    return Response([
      "versions": .array(
        versions.map { version in
          var value: JSONValue = ["revision": .string("\(version.revision)"), "isDeleted": .bool(version.value == nil)]
          if let generation = version.value?["metadata"]?["generation"] { value["generation"] = generation }
          for field in ["time", "who", "verb", "fieldManager"] {
            if let text = version.audit?[field] { value[field] = text }
          }
          if objects { value["object"] = version.value }
          return value
        })
    ])
  }

  @Sendable private func rollback(_ request: Request, _ context: APIContext) async throws -> Response {
    let body = try await APIBody.value(request)
    let key = try Self.key(body)
    var revision: Revision?
    if let given = body["revision"], given != .null {
      revision = given.string.flatMap(Revision.init) ?? given.int.flatMap { Revision(exactly: $0) }
      if revision == nil { throw APIProblem(.badRequest, "revision is a number that the history lists") }
    }
    let result = try await resources.rollback(key, to: revision, by: context.author, try APIQuery(request).writeOptions)
    return Self.answer(result, objects: false, mayReadSecrets: true)
  }

  private static func key(_ value: JSONValue) throws -> ResourceKey {
    let group = value["group"]?.string ?? ""
    guard let kind = value["kind"]?.string, let name = value["name"]?.string else {
      throw APIProblem(.badRequest, "the body names a resource: {\"group\", \"kind\", \"namespace\", \"name\"}")
    }
    let kindName = ResourceKind(group: group == "core" ? "" : group, kind: kind)
    guard let type = ResourceType.named(kindName) else {
      throw APIProblem(.notFound, "no kind \(kindName)")
    }
    let given = value["namespace"]?.string ?? "default"
    let namespace = given == "_" || given.isEmpty ? "default" : given
    guard ResourceDocument.isName(name, limit: 253, dots: true),
      ResourceDocument.isName(namespace, limit: 63, dots: false)
    else { throw APIProblem(.badRequest, "the resource has no name that a resource can have") }
    return type.key(namespace: namespace, name: name)
  }
}
