/// One entry of a route rule's `matches`, as the route table wants it: the smallest thing that takes part in
/// precedence. A rule with several entries, or with none (which means PathPrefix `/`), becomes as many of these.
struct RouteMatchSpec: Sendable {
  enum PathMatch: Sendable, Equatable {
    /// The whole path, byte by byte.
    case exact(String)
    /// Whole path elements from the start. A trailing slash is ignored: `/foo` and `/foo/` are the same, and match
    /// `/foo`, `/foo/` and `/foo/bar`, not `/foobar`.
    case prefix(String)
    /// The whole path, as `Pattern` reads it.
    case regex(String)
    /// A gRPC method by expressions, or by its own name without the service's; what is simpler is `exact` or `prefix`.
    case grpc(GRPCPath)
  }

  enum ValueMatch: Sendable, Equatable {
    /// The whole value, case-sensitively.
    case exact(String)
    /// The whole value, as `Pattern` reads it.
    case regex(String)
  }

  struct NamedMatch: Sendable, Equatable {
    var name: String
    var value: ValueMatch

    init(_ name: String, _ value: ValueMatch) {
      self.name = name
      self.value = value
    }
  }

  /// The hostname of the listener that the route is attached to: `*` when it has none.
  var listenerHostname = "*"
  /// Each already intersected with the listener's: a name, `*.` and a name, or `*`. Several mean any of them.
  var hostnames = ["*"]
  var path = PathMatch.prefix("/")
  /// Case-sensitive (RFC 9110 9.1); nil: any.
  var method: String?
  /// All must match. Names are case-insensitive, and of several entries with the same name only the first counts.
  var headers: [NamedMatch] = []
  /// All must match. Names are case-sensitive, and of several entries with the same name only the first counts.
  var query: [NamedMatch] = []
  var order: RouteOrder
  /// What a match answers with: the index of the rule, 0 or more.
  var target: Int
}

/// What decides between matches that are equally specific: the oldest route, then the first by name, then the first
/// rule in it, then the first entry of its `matches`.
struct RouteOrder: Sendable, Comparable {
  /// When the route was created, in any unit; equal where that is not known.
  var created: Int64 = 0
  /// `namespace/name` of the route.
  var name: String
  /// Index of the rule within the route.
  var rule: Int
  /// Index of the entry within the rule's `matches`.
  var match: Int

  static func < (a: RouteOrder, b: RouteOrder) -> Bool {
    if a.created != b.created { return a.created < b.created }
    if a.name != b.name { return a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
    if a.rule != b.rule { return a.rule < b.rule }
    return a.match < b.match
  }
}

/// Why a `RouteMatchSpec` cannot be compiled.
struct RouteTableError: Error, Equatable, Sendable, CustomStringConvertible {
  enum Field: Equatable, Sendable {
    case hostname, path, method, target
    case header(String)
    case query(String)
  }

  /// `namespace/name` of the route.
  var route: String
  var rule: Int
  var match: Int
  var field: Field
  var message: String

  init(_ order: RouteOrder, _ field: Field, _ message: String) {
    route = order.name
    rule = order.rule
    match = order.match
    self.field = field
    self.message = message
  }

  var description: String {
    let place =
      switch field {
      case .hostname: "hostname"
      case .path: "path"
      case .method: "method"
      case .target: "target"
      case .header(let name): "header \(name)"
      case .query(let name): "query parameter \(name)"
      }
    return "\(route): rule \(rule), match \(match), \(place): \(message)"
  }
}
