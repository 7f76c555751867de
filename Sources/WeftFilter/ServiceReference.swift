/// A service that configuration names, by the name under which every worker finds it.
public final class ServiceReference: Sendable, Hashable {
  /// `namespace/name:port`, or `namespace/name` where the port is left to the service.
  public let name: String

  public init(_ name: String) { self.name = name }

  public static func == (a: ServiceReference, b: ServiceReference) -> Bool { a.name == b.name }
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
