import WeftConfig
import WeftFilter

/// Makes the filters that the Gateway API defines out of the ones here.
enum RouteFilters {
  static func make(_ filter: HTTPRouteFilter, _ context: FilterTypeContext) throws -> any FilterType {
    switch filter.action {
    case .requestHeaderModifier(let changes): return HeaderModifier(request: try HeaderChanges(changes))
    case .responseHeaderModifier(let changes): return HeaderModifier(response: try HeaderChanges(changes))
    case .requestRedirect(let redirect): return try Redirect(redirect)
    case .urlRewrite(let rewrite): return try URLRewrite(rewrite)
    case .requestMirror(let mirror): return try make(mirror, context)
    case .cors(let policy): return try CORS(policy, context)
    case .extensionRef:
      throw ConfigError([filter.origin.error("no filter for \(filter.type.rawValue) is built in")])
    }
  }

  /// A mirror to a service that does not exist is dropped, as the Gateway API says: a filter that does nothing.
  private static func make(_ mirror: HTTPRequestMirror, _ context: FilterTypeContext) throws -> any FilterType {
    let backend = mirror.backendRef
    guard let service = context.service(backend.name.name, namespace: backend.name.namespace, port: backend.port) else {
      return HeaderModifier()
    }
    return try Mirror(to: service, numerator: mirror.numerator, denominator: mirror.denominator, context)
  }
}

extension HeaderChanges {
  /// The Gateway API's changes, whose values are taken as they stand.
  public init(_ changes: HTTPHeaderModifier) throws(InvalidFilterValue) {
    func fields(_ given: [HTTPHeaderModifier.Field]) throws(InvalidFilterValue) -> [Field] {
      var fields: [Field] = []
      for field in given { fields.append(try Field(name: field.name, value: field.value)) }
      return fields
    }
    try self.init(set: fields(changes.set), add: fields(changes.add), remove: changes.remove)
  }
}
