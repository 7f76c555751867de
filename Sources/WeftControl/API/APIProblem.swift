import HTTPTypes
import Hummingbird
import WeftConfig
import WeftStore

/// An error as clients get it: problem details (RFC 9457) with a list of findings.
public struct APIProblem: Error, Sendable {
  public let status: HTTPResponse.Status
  public let detail: String
  public let findings: [ResourceFinding]

  init(_ status: HTTPResponse.Status, _ detail: String, _ findings: [ResourceFinding] = []) {
    self.status = status
    self.detail = detail
    self.findings = findings
  }

  /// The one table from failure to status.
  init(_ problem: ResourceProblem) {
    switch problem {
    case .malformed(let text): self.init(.badRequest, text)
    case .notFound(let text): self.init(.notFound, text)
    case .conflict(let text, let findings): self.init(.conflict, text, findings)
    case .invalid(let findings):
      let count = findings.count { $0.isError }
      self.init(.unprocessableContent, "\(count) error\(count == 1 ? "" : "s"); nothing was changed", findings)
    case .gone(let text): self.init(.gone, text)
    case .tooLarge(let text): self.init(.contentTooLarge, text)
    case .readOnly(let text): self.init(.methodNotAllowed, text)
    case .store(let error): self.init(error)
    }
  }

  init(_ error: StoreError) {
    switch error {
    case .conflict: self.init(.conflict, error.description)
    case .compacted: self.init(.gone, error.description)
    case .leaseNotFound: self.init(.notFound, error.description)
    case .invalid: self.init(.badRequest, error.description)
    case .unavailable, .unusable, .closed: self.init(.serviceUnavailable, error.description)
    }
  }

  /// Whatever a handler threw.
  init(_ error: any Error) {
    switch error {
    case let problem as APIProblem: self = problem
    case let problem as ResourceProblem: self.init(problem)
    case let error as StoreError: self.init(error)
    case let error as ConfigError:
      let findings = error.diagnostics.map { diagnostic in
        let place = diagnostic.location.line > 0 ? "line \(diagnostic.location.line): " : ""
        return ResourceFinding(
          isError: diagnostic.severity == .error, resource: nil, path: diagnostic.path.description,
          place + diagnostic.message)
      }
      self.init(.badRequest, "the body cannot be read", findings)
    case let error as any HTTPResponseError: self.init(error.status, "\(error)")
    case is CancellationError: self.init(.serviceUnavailable, "the control plane is going away; try again")
    default: self.init(.internalServerError, "\(error)")
    }
  }

  /// Kubernetes' word for it, by which programs tell problems apart.
  var reason: String {
    switch status.code {
    case 400: "BadRequest"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "NotFound"
    case 405: "MethodNotAllowed"
    case 409: "Conflict"
    case 410: "Expired"
    case 413: "RequestEntityTooLarge"
    case 415: "UnsupportedMediaType"
    case 422: "Invalid"
    case 429: "TooManyRequests"
    case 503: "ServiceUnavailable"
    default: "InternalError"
    }
  }

  /// Findings of one answer.
  static let findingLimit = 200

  var json: JSONValue {
    var value: JSONValue = [
      "type": "about:blank", "title": .string(status.reasonPhrase), "status": .number("\(status.code)"),
      "reason": .string(reason), "detail": .string(detail),
    ]
    if !findings.isEmpty {
      value["errors"] = .array(findings.prefix(Self.findingLimit).map(\.json))
      if findings.count > Self.findingLimit { value["omitted"] = .number("\(findings.count - Self.findingLimit)") }
    }
    return value
  }

  var response: Response {
    var response = Response(json, status: status)
    response.headers[.contentType] = "application/problem+json"
    if status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer realm=\"weft\"" }
    return response
  }
}

extension ResourceFinding {
  /// `severity`, `path`, `message`, and the resource.
  var json: JSONValue {
    var value: JSONValue = [
      "severity": isError ? "error" : "warning", "path": .string(path), "message": .string(message),
    ]
    if let resource { value["resource"] = resource.json }
    return value
  }

  /// What `json` made.
  public init?(_ json: JSONValue) {
    guard let message = json["message"]?.string else { return nil }
    self.init(
      isError: json["severity"]?.string != "warning", resource: json["resource"].flatMap { ResourceKey($0) },
      path: json["path"]?.string ?? "", message)
  }
}

extension ResourceKey {
  var json: JSONValue {
    var value: JSONValue = ["group": .string(group), "kind": .string(kind), "name": .string(name)]
    if !namespace.isEmpty { value["namespace"] = .string(namespace) }
    return value
  }

  init?(_ json: JSONValue) {
    guard let kind = json["kind"]?.string, let name = json["name"]?.string else { return nil }
    self.init(
      group: json["group"]?.string ?? "", kind: kind, namespace: json["namespace"]?.string ?? "", name: name)
  }
}

extension Response {
  init(_ value: JSONValue, status: HTTPResponse.Status = .ok) {
    self.init(
      status: status, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: value.text + "\n")))
  }

  /// Says warnings as Kubernetes does, in fields of their own (RFC 7234 section 5.5).
  mutating func add(warnings: [ResourceFinding]) {
    for warning in warnings.prefix(20) {
      let text = warning.description.unicodeScalars.reduce(into: "") { text, scalar in
        text += (" "..."~").contains(scalar) && scalar != "\"" && scalar != "\\" ? String(scalar) : "?"
      }
      headers.append(HTTPField(name: .warning, value: "299 weft \"\(text.prefix(500))\""))
    }
  }
}
