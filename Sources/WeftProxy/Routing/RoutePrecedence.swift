/// The rank of a match among those for the same hostname, as the Gateway API's HTTPRoute orders them:
///
/// 1. an Exact path,
/// 2. a RegularExpression path (the specification leaves its place open; here, as in other implementations, between the
///    two), the longest expression first,
/// 3. a PathPrefix, the longest first, a trailing slash not counted,
/// 4. with a method before without,
/// 5. the most headers,
/// 6. the most query parameters,
/// 7. the order of the routes.
///
/// Of a GRPCRoute, whose hostnames no HTTPRoute shares: a service and method by name, then by expressions; a service by
/// name, then by an expression; a method by name, then by an expression; every call. The longer service, then the longer
/// method goes first, then what has the most headers.
///
/// The hostname comes before all of it: rules for a name before those for a wildcard, those for a longer wildcard
/// before those for a shorter one. A request that no rule for the most specific hostname matches falls to those for the
/// next, within the same listener; between listeners it does not fall (Listener Isolation): the listener with the most
/// specific hostname takes the request, whether or not a route of its own matches.
struct RoutePrecedence: Comparable {
  private let rank: [Int]
  private let order: RouteOrder

  init(_ spec: RouteMatchSpec) {
    let path =
      switch spec.path {
      case .exact: [0, 0, 0, 0, 0, 0]
      case .regex(let text): [1, -text.utf8.count, 0, 0, 0, 0]
      case .grpc(let path) where path.rank == .serviceAndMethod: [1, 0] + path.order
      // Before `/`, and after every longer prefix.
      case .grpc(let path): [2, 0] + path.order
      case .prefix: [2, -spec.prefixPath.count, 9, 0, 0, 0]
      }
    let counts = [spec.method == nil ? 1 : 0, -spec.effectiveHeaders.count, -spec.effectiveQuery.count]
    rank = path + counts
    order = spec.order
  }

  /// Whether `a` is tried before `b`.
  static func < (a: RoutePrecedence, b: RoutePrecedence) -> Bool {
    if a.rank != b.rank { return a.rank.lexicographicallyPrecedes(b.rank) }
    return a.order < b.order
  }
}

extension RouteMatchSpec {
  /// The path of a prefix match without its trailing slash; empty for `/` and for other kinds of match.
  var prefixPath: [UInt8] {
    guard case .prefix(let text) = path else { return [] }
    let utf8 = Array(text.utf8)
    return utf8.last == 0x2f ? utf8.dropLast() : utf8
  }

  /// The headers that count: the first of each name.
  var effectiveHeaders: [NamedMatch] { RouteMatchSpec.firstOfEach(headers) { $0.lowercased() } }

  /// The query parameters that count: the first of each name.
  var effectiveQuery: [NamedMatch] { RouteMatchSpec.firstOfEach(query) { $0 } }

  private static func firstOfEach(_ matches: [NamedMatch], key: (String) -> String) -> [NamedMatch] {
    var seen: Set<String> = []
    return matches.filter { seen.insert(key($0.name)).inserted }
  }
}
