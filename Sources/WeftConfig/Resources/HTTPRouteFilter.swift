/// One entry of a rule's or backend's filter list.
public struct HTTPRouteFilter: Sendable, Hashable {
  public enum Action: Sendable, Hashable {
    case requestHeaderModifier(HTTPHeaderModifier)
    case responseHeaderModifier(HTTPHeaderModifier)
    case requestMirror(HTTPRequestMirror)
    case requestRedirect(HTTPRequestRedirect)
    case urlRewrite(HTTPURLRewrite)
    case cors(HTTPCORSPolicy)
    /// A `weft.dev` Filter of the route's namespace.
    case extensionRef(LocalReference)
  }

  /// The values of `type`.
  public enum ActionType: String, Sendable, Hashable, CaseIterable {
    case requestHeaderModifier = "RequestHeaderModifier"
    case responseHeaderModifier = "ResponseHeaderModifier"
    case requestMirror = "RequestMirror"
    case requestRedirect = "RequestRedirect"
    case urlRewrite = "URLRewrite"
    case cors = "CORS"
    case extensionRef = "ExtensionRef"

    /// The field that holds the type's configuration.
    var field: String {
      switch self {
      case .requestHeaderModifier: "requestHeaderModifier"
      case .responseHeaderModifier: "responseHeaderModifier"
      case .requestMirror: "requestMirror"
      case .requestRedirect: "requestRedirect"
      case .urlRewrite: "urlRewrite"
      case .cors: "cors"
      case .extensionRef: "extensionRef"
      }
    }

    var mayRepeat: Bool { self == .requestMirror || self == .extensionRef }
  }

  public let type: ActionType
  public let action: Action
  public let origin: Origin

  /// The `filters` of a rule or backend.
  /// - Parameter types: those that the kind of route has.
  static func list(
    _ reader: ObjectReader, namespace: String, types: [ActionType] = ActionType.allCases
  ) -> [HTTPRouteFilter] {
    let filters = reader.objects("filters", count: Bounds.filters) { reader in
      let filter = HTTPRouteFilter(reader, namespace: namespace)
      if let filter, !types.contains(filter.type) {
        let known = types.map(\.rawValue).joined(separator: ", ")
        reader.error("type", "\(filter.type.rawValue) is no filter of this kind of route; use one of \(known)")
      }
      return filter
    }
    .compactMap(\.self)
    var seen: Set<ActionType> = []
    for filter in filters where !seen.insert(filter.type).inserted && !filter.type.mayRepeat {
      reader.report(filter.origin.error("\(filter.type.rawValue) may stand only once in a list of filters"))
    }
    if seen.isSuperset(of: [.requestRedirect, .urlRewrite]),
      let rewrite = filters.first(where: { $0.type == .urlRewrite })
    {
      reader.report(rewrite.origin.error("URLRewrite cannot stand together with RequestRedirect; remove either"))
    }
    return filters
  }

  /// Nil when the type is unknown, which is reported.
  private init?(_ reader: ObjectReader, namespace: String) {
    origin = Origin(reader.node)
    let type: ActionType? = reader.required("type", placeholder: nil) { try $0.enumeration(ActionType.self) }
    for other in ActionType.allCases where other != type && reader.has(other.field) {
      if let type {
        reader.error(other.field, "must not be given with type \(type.rawValue)")
      }
    }
    guard let type else { return nil }
    self.type = type
    let body = reader.object(type.field)
    switch type {
    case .requestHeaderModifier: action = .requestHeaderModifier(HTTPHeaderModifier(body))
    case .responseHeaderModifier: action = .responseHeaderModifier(HTTPHeaderModifier(body))
    case .requestMirror: action = .requestMirror(HTTPRequestMirror(body, namespace: namespace))
    case .requestRedirect: action = .requestRedirect(HTTPRequestRedirect(body))
    case .urlRewrite: action = .urlRewrite(HTTPURLRewrite(body))
    case .cors: action = .cors(HTTPCORSPolicy(body))
    case .extensionRef: action = .extensionRef(HTTPRouteFilter.extensionRef(body))
    }
  }

  private static func extensionRef(_ reader: ObjectReader) -> LocalReference {
    let reference = LocalReference(reader)
    if reader.has("group"), reader.has("kind"), reference.kind != FilterResource.kind {
      reader.error(
        nil, "refers to a \(reference.kind); Weft runs \"group: weft.dev, kind: Filter\" here, and nothing else")
    }
    return reference
  }
}

extension HTTPRouteFilter.Action {
  var isRedirect: Bool {
    if case .requestRedirect = self { true } else { false }
  }

  /// Whether it replaces the prefix that the rule's match found.
  var replacesPrefix: Bool {
    switch self {
    case .requestRedirect(let redirect): redirect.path?.isPrefix ?? false
    case .urlRewrite(let rewrite): rewrite.path?.isPrefix ?? false
    default: false
    }
  }
}
