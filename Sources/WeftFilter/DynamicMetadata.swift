/// A value that filters of one exchange share.
public indirect enum MetadataValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case list([MetadataValue])
  case object([String: MetadataValue])
}

/// Values that filters of one exchange leave for each other and for the access log, by a namespace (usually the
/// filter's name) and a key. Made when first written to.
public final class DynamicMetadata {
  public var values: [String: [String: MetadataValue]] = [:]
  /// Keys that one exchange may hold over all namespaces.
  public static let limit = 256
  private var keys = 0

  public init() {}

  /// Sets a value; false when the exchange holds `limit` keys already.
  @discardableResult
  public func set(_ namespace: String, _ key: String, _ value: MetadataValue) -> Bool {
    if values[namespace]?[key] == nil {
      if keys >= Self.limit { return false }
      keys += 1
    }
    values[namespace, default: [:]][key] = value
    return true
  }

  public func get(_ namespace: String, _ key: String) -> MetadataValue? { values[namespace]?[key] }
}

/// What configuration says about a route for filters to read (its resource's annotations), by filter name.
public final class RouteMetadata: Sendable {
  public let values: [String: [String: MetadataValue]]
  public init(_ values: [String: [String: MetadataValue]]) { self.values = values }
}
