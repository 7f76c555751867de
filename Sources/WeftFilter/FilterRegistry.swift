import WeftConfig

/// The filter types that a build of Weft knows, by name.
public struct FilterRegistry: Sendable {
  private var types: [String: any FilterType.Type] = [:]

  /// Makes the filters that HTTPRoute has fields of its own for (RequestHeaderModifier, RequestRedirect, ...).
  public var routeFilter: @Sendable (HTTPRouteFilter, FilterTypeContext) throws -> any FilterType = { filter, _ in
    throw ConfigError([filter.origin.error("no filter for \(filter.type.rawValue) is built in")])
  }

  /// Makes the filter for an HTTPRoute rule's `retry`; nil where retries are not built in.
  public var routeRetry: (@Sendable (HTTPRoute.Retry, FilterTypeContext) throws -> any FilterType)?

  public init() {}

  /// Adds a type; a later one of the same name takes the place of an earlier one.
  public mutating func register<F: FilterType>(_ type: F.Type) { types[F.name] = type }

  public var names: [String] { types.keys.sorted() }

  public func type(named name: String) -> (any FilterType.Type)? { types[name] }

  /// Decodes the configuration of a filter, reporting every field that nobody read.
  /// - Throws: `ConfigError` with file, line and path of each mistake.
  public func decode(type: any FilterType.Type, config: ConfigNode, context: FilterTypeContext) throws -> any FilterType
  {
    try ObjectReader.decode(config) { try type.init($0, context) }
  }
}
