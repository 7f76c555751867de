import HTTPTypes
import Hummingbird
import WeftConfig
import WeftStore

/// Resources in Kubernetes' manner.
struct ResourceRoutes: Sendable {
  let resources: ResourceService
  let watches: WatchRoute

  static let methods: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete]

  func register(on router: Router<APIContext>) {
    for method in Self.methods {
      for root in ["/api", "/api/**", "/apis", "/apis/**"] {
        router.on(RouterPath(root), method: method) { request, context -> Response in
          do {
            return try await answer(request, context)
          } catch {
            return APIProblem(error).response
          }
        }
      }
    }
  }

  private func answer(_ request: Request, _ context: APIContext) async throws -> Response {
    try context.require(.read)
    let path = try ResourcePath(request.uri.path)
    switch path {
    case .groups, .versions, .kinds:
      guard request.method == .get else { throw Self.notAllowed(["GET"]) }
      return Response(ResourceDiscovery.answer(path))
    case .list(let type, let version, let namespace):
      switch request.method {
      case .get: return try await list(request, context, type, version, namespace)
      case .post where type.isWritable && (namespace != nil || !type.isNamespaced):
        return try await create(request, context, type, version, namespace)
      default:
        let takesNew = type.isWritable && (namespace != nil || !type.isNamespaced)
        throw Self.notAllowed(takesNew ? ["GET", "POST"] : ["GET"])
      }
    case .item(let type, let version, let key):
      if request.method != .get, !type.isWritable { throw Self.notAllowed(["GET"]) }
      if request.method == .post { throw Self.notAllowed(["GET", "PUT", "PATCH", "DELETE"]) }
      if request.method == .get {
        try requireReading(type, context)
        if try APIQuery(request).flag("watch") {
          return try await watches.answer(
            request, type, version: version, namespace: key.namespace, name: key.name)
        }
        return Response(try await resources.get(key, version: version))
      }
      return try await change(request, context, type, version, key)
    }
  }

  private static func notAllowed(_ methods: [String]) -> APIProblem {
    APIProblem(.methodNotAllowed, "use \(methods.joined(separator: ", "))")
  }

  private func requireReading(_ type: ResourceType, _ context: APIContext) throws {
    if type.kind.kind == "Secret" { try context.require(.readSecrets) }
  }

  private func list(
    _ request: Request, _ context: APIContext, _ type: ResourceType, _ version: String, _ namespace: String?
  ) async throws -> Response {
    try requireReading(type, context)
    let query = APIQuery(request)
    if try query.flag("watch") {
      return try await watches.answer(request, type, version: version, namespace: namespace, name: nil)
    }
    if let field = query.text("fieldSelector"), !field.isEmpty {
      throw APIProblem(.badRequest, "fieldSelector is not supported; use labelSelector")
    }
    let limit = try query.number("limit", in: 0...ResourceService.listLimit) ?? 0
    let list = try await resources.list(
      type, namespace: namespace, selector: try LabelRequirements(query.text("labelSelector") ?? ""),
      limit: limit == 0 ? ResourceService.listLimit : limit,
      continued: query.text("continue").flatMap { $0.isEmpty ? nil : $0 },
      version: version)
    var metadata: JSONValue = ["resourceVersion": .string("\(list.revision)")]
    if let next = list.next { metadata["continue"] = .string(next) }
    return Response([
      "apiVersion": .string(type.apiVersion(version)), "kind": .string("\(type.kind.kind)List"), "metadata": metadata,
      "items": .array(list.items),
    ])
  }

  private func create(
    _ request: Request, _ context: APIContext, _ type: ResourceType, _ version: String, _ namespace: String?
  ) async throws -> Response {
    try context.require(.write)
    let value = try await APIBody.value(request)
    let document = try ResourceDocument(value, namespace: namespace, expected: type)
    if let namespace, document.key.namespace != namespace {
      throw APIProblem(
        .badRequest, "metadata.namespace is \"\(document.key.namespace)\", and the path names \(namespace)")
    }
    return try await write(
      request, context, ResourceChange(document.key, .put(document), when: .absent), verb: "create", version)
  }

  private func change(
    _ request: Request, _ context: APIContext, _ type: ResourceType, _ version: String, _ key: ResourceKey
  ) async throws -> Response {
    try context.require(.write)
    if request.method == .delete {
      let precondition: ResourceChange.Precondition =
        try APIQuery(request).revision("resourceVersion").map { .revision($0) } ?? .exists
      return try await write(
        request, context, ResourceChange(key, .delete, when: precondition), verb: "delete", version)
    }
    let format = try APIBody.format(request)
    let value = try await APIBody.value(request)
    let change: ResourceChange
    if request.method == .patch, format == .mergePatch {
      change = ResourceChange(
        key,
        .edit { document throws(ResourceProblem) in
          try ResourceDocument(document.value.merging(value), namespace: key.namespace, expected: type)
        }, when: try Self.precondition(value) ?? .exists)
    } else {
      guard request.method == .put || format == .apply else {
        throw APIProblem(
          .unsupportedMediaType, "a patch is application/merge-patch+json or application/apply-patch+yaml")
      }
      let document = try ResourceDocument(value, namespace: key.namespace, expected: type)
      guard document.key == key else {
        throw APIProblem(.badRequest, "the body is about \(document.key), and the path about \(key)")
      }
      change = ResourceChange(
        key, .put(document), when: try Self.precondition(value) ?? (request.method == .put ? .exists : .none))
    }
    let verb = request.method == .put ? "replace" : format == .apply ? "apply" : "patch"
    return try await write(request, context, change, verb: verb, version)
  }

  static func precondition(_ value: JSONValue) throws -> ResourceChange.Precondition? {
    guard let version = value["metadata"]?["resourceVersion"], version != .null, version.string != "" else {
      return nil
    }
    guard let revision = version.string.flatMap(Revision.init) else {
      throw APIProblem(.badRequest, "metadata.resourceVersion is not what this API has given")
    }
    return .revision(revision)
  }

  private func write(
    _ request: Request, _ context: APIContext, _ change: ResourceChange, verb: String, _ version: String
  ) async throws -> Response {
    let result = try await resources.write(
      [change], verb: verb, by: context.author, try APIQuery(request).writeOptions)
    guard let first = result.results.first else { throw APIProblem(.internalServerError, "nothing was done") }
    var response = Response(
      first.document.shown(revision: first.revision, version: version),
      status: first.outcome == .created ? .created : .ok)
    response.add(warnings: result.warnings)
    return response
  }
}
