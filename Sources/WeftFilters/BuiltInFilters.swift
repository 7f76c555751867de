import WeftFilter

/// The filters that every build of Weft has.
public enum BuiltInFilters {
  public static func register(into registry: inout FilterRegistry) {
    registry.register(BodyBuffer.self)
    registry.register(CORS.self)
    registry.register(Compress.self)
    registry.register(Fault.self)
    registry.register(GRPCWeb.self)
    registry.register(HeaderModifier.self)
    registry.register(MTLS.self)
    registry.register(Mirror.self)
    registry.register(RateLimit.self)
    registry.register(Redirect.self)
    registry.register(Respond.self)
    registry.register(Retry.self)
    registry.register(URLRewrite.self)
    registry.routeFilter = RouteFilters.make
    registry.routeRetry = { try Retry($0, $1) }
  }
}
