import WeftConfig

/// What a GRPCRoute asks of a path, `/SERVICE/METHOD`, where it takes an expression to say it.
struct GRPCPath: Sendable, Equatable {
  /// The kinds, in the order in which they are tried.
  enum Rank: Int, Sendable {
    /// Service and method: after exact paths, before a service alone.
    case serviceAndMethod
    /// After services by name.
    case service
    /// After services.
    case method
  }

  /// For the whole path, as `Pattern` reads it.
  let expression: String
  let rank: Rank
  let isExact: Bool
  /// Characters of the service and of the method: the longer go first.
  let serviceLength: Int
  let methodLength: Int

  /// Sorts before those that come later.
  var order: [Int] { [rank.rawValue, isExact ? 0 : 1, -serviceLength, -methodLength] }
}

extension RouteMatchSpec.PathMatch {
  /// The path of a call that satisfies `match`.
  init(_ match: GRPCRouteMatch.Method?) {
    self.init(type: match?.type ?? .exact, service: match?.service, method: match?.method)
  }

  init(type: GRPCRouteMatch.Method.MatchType, service: String?, method: String?) {
    switch (type, service, method) {
    case (_, nil, nil): self = .prefix("/")
    case (.exact, let service?, let method?): self = .exact("/\(service)/\(method)")
    case (.exact, let service?, nil): self = .prefix("/\(service)")
    case (_, _, _):
      let rank: GRPCPath.Rank = service == nil ? .method : method == nil ? .service : .serviceAndMethod
      // Names have no characters that mean something in an expression, but for dots, which only services have; those are
      // never by name here.
      self = .grpc(
        GRPCPath(
          expression: "/\(service.map { "(?:\($0))" } ?? "[^/]+")/\(method.map { "(?:\($0))" } ?? "[^/]+")",
          rank: rank, isExact: type == .exact, serviceLength: service?.utf8.count ?? 0,
          methodLength: method?.utf8.count ?? 0))
    }
  }
}
