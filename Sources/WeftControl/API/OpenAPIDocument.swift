import WeftConfig

/// The description of the API (OpenAPI 3.1), made from the same tables as the API itself.
struct OpenAPIDocument {
  let endpoints: [APIEndpoint]
  let version: String

  var json: JSONValue {
    var paths: [String: JSONValue] = [:]
    for endpoint in endpoints {
      var item = paths[endpoint.path] ?? .object([:])
      item[endpoint.method.rawValue.lowercased()] = Self.operation(endpoint)
      paths[endpoint.path] = item
    }
    for type in ResourceType.all {
      for version in type.versions { Self.add(type, version, to: &paths) }
    }
    var schemas = Self.schemas
    for type in ResourceType.all { schemas[Self.schemaName(type)] = Self.schema(type) }
    return [
      "openapi": "3.1.0",
      "info": [
        "title": "Weft control plane", "version": .string(version),
        "description":
          "Resources in Kubernetes' manner under /api and /apis; what Kubernetes has no place for under /weft/v1.",
      ],
      "paths": .object(paths),
      "components": [
        "schemas": .object(schemas),
        "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
      ],
      "security": [["token": []], .object([:])],
    ]
  }

  private static func operation(_ endpoint: APIEndpoint) -> JSONValue {
    let named = endpoint.path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
      String($0.dropFirst().dropLast())
    }
    var value = operation(
      endpoint.summary, path: named, query: endpoint.query, permission: endpoint.permission,
      statuses: [endpoint.status])
    if endpoint.hasBody {
      let schema: JSONValue = ["type": .string(endpoint.bodyType == "application/json" ? "object" : "string")]
      value["requestBody"] = ["required": true, "content": .object([endpoint.bodyType: ["schema": schema]])]
    }
    return value
  }

  private static func operation(
    _ summary: String, path: [String], query: [String], permission: APIPermission?, statuses: [Int],
    schema: String? = nil
  ) -> JSONValue {
    var responses: [String: JSONValue] = [:]
    for status in statuses {
      var response: JSONValue = ["description": status == 201 ? "created" : "done"]
      if let schema { response["content"] = ["application/json": ["schema": reference(schema)]] }
      responses["\(status)"] = response
    }
    responses["default"] = [
      "description": "a problem",
      "content": ["application/problem+json": ["schema": reference("Problem")]],
    ]
    let parameters =
      path.map { name -> JSONValue in
        ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]]
      }
      + query.map { name -> JSONValue in
        ["name": .string(name), "in": "query", "schema": ["type": "string"]]
      }
    var value: JSONValue = ["summary": .string(summary), "responses": .object(responses)]
    if !parameters.isEmpty { value["parameters"] = .array(parameters) }
    if let permission {
      value["description"] = .string("Roles: \(permission.roles.map(\.rawValue).joined(separator: ", ")).")
    } else {
      value["security"] = []
    }
    return value
  }

  private static func reference(_ schema: String) -> JSONValue {
    ["$ref": .string("#/components/schemas/\(schema)")]
  }

  private static func add(_ type: ResourceType, _ version: String, to paths: inout [String: JSONValue]) {
    let (kind, schema) = (type.kind.kind, schemaName(type))
    let place = type.isNamespaced ? ["namespace"] : []
    let read: APIPermission = kind == "Secret" ? .readSecrets : .read
    let listQuery = [
      "labelSelector", "limit", "continue", "watch", "resourceVersion", "allowWatchBookmarks", "timeoutSeconds",
    ]
    let writeQuery = ["dryRun", "fieldManager"]
    func list(_ path: [String]) -> JSONValue {
      operation(
        "Lists or watches: \(kind)", path: path, query: listQuery, permission: read, statuses: [200],
        schema: "\(schema)List")
    }
    func body(_ types: [String]) -> JSONValue {
      let content = Dictionary(uniqueKeysWithValues: types.map { ($0, ["schema": reference(schema)] as JSONValue) })
      return ["required": true, "content": .object(content)]
    }
    let all = type.path(version: version)
    paths[all] = ["get": list([])]
    let collection = type.isNamespaced ? type.path(namespace: "{namespace}", version: version) : all
    var members: JSONValue = paths[collection] ?? ["get": list(place)]
    if type.isWritable {
      var create = operation(
        "Creates: \(kind)", path: place, query: writeQuery, permission: .write, statuses: [201], schema: schema)
      create["requestBody"] = body(["application/json", "application/yaml"])
      members["post"] = create
    }
    paths[collection] = members
    var item: JSONValue = [
      "get": operation(
        "Reads: \(kind)", path: place + ["name"], query: ["watch"], permission: read, statuses: [200], schema: schema)
    ]
    if type.isWritable {
      var replace = operation(
        "Replaces: \(kind)", path: place + ["name"], query: writeQuery, permission: .write, statuses: [200],
        schema: schema)
      replace["requestBody"] = body(["application/json", "application/yaml"])
      item["put"] = replace
      var patch = operation(
        "Changes, or applies: \(kind)", path: place + ["name"], query: writeQuery, permission: .write,
        statuses: [200, 201], schema: schema)
      patch["requestBody"] = body(["application/merge-patch+json", "application/apply-patch+yaml"])
      item["patch"] = patch
      item["delete"] = operation(
        "Deletes: \(kind)", path: place + ["name"], query: writeQuery + ["force", "resourceVersion"],
        permission: .write, statuses: [200], schema: schema)
    }
    paths[type.path(namespace: type.isNamespaced ? "{namespace}" : nil, name: "{name}", version: version)] = item
  }

  private static func schemaName(_ type: ResourceType) -> String {
    let group = type.kind.group.split(separator: ".").first.map(String.init) ?? "core"
    return "\(group).\(type.kind.kind)"
  }

  private static func schema(_ type: ResourceType) -> JSONValue {
    [
      "type": "object", "required": ["apiVersion", "kind", "metadata"],
      "properties": [
        "apiVersion": ["type": "string", "enum": .array(type.versions.map { .string(type.apiVersion($0)) })],
        "kind": ["type": "string", "const": .string(type.kind.kind)], "metadata": reference("Metadata"),
        "spec": ["type": "object"],
      ],
    ]
  }

  private static var schemas: [String: JSONValue] {
    var schemas: [String: JSONValue] = [
      "Metadata": [
        "type": "object", "required": ["name"],
        "properties": [
          "name": ["type": "string"], "namespace": ["type": "string"],
          "labels": ["type": "object", "additionalProperties": ["type": "string"]],
          "annotations": ["type": "object", "additionalProperties": ["type": "string"]],
          "uid": ["type": "string", "readOnly": true], "resourceVersion": ["type": "string"],
          "generation": ["type": "integer", "readOnly": true],
          "creationTimestamp": ["type": "string", "format": "date-time", "readOnly": true],
        ],
      ],
      "Problem": [
        "type": "object", "description": "Problem details, RFC 9457.",
        "properties": [
          "type": ["type": "string"], "title": ["type": "string"], "status": ["type": "integer"],
          "reason": ["type": "string"], "detail": ["type": "string"],
          "errors": ["type": "array", "items": reference("Finding")],
        ],
      ],
      "Finding": [
        "type": "object", "required": ["severity", "path", "message"],
        "properties": [
          "severity": ["enum": ["error", "warning"]], "path": ["type": "string"], "message": ["type": "string"],
          "resource": ["type": "object"],
        ],
      ],
    ]
    for type in ResourceType.all {
      let name = schemaName(type)
      schemas["\(name)List"] = [
        "type": "object", "required": ["items", "metadata"],
        "properties": [
          "apiVersion": ["type": "string"], "kind": ["const": .string("\(type.kind.kind)List")],
          "metadata": [
            "type": "object",
            "properties": ["resourceVersion": ["type": "string"], "continue": ["type": "string"]],
          ],
          "items": ["type": "array", "items": reference(name)],
        ],
      ]
    }
    return schemas
  }
}
