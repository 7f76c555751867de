import WeftHTTP
import WeftIO
import WeftRegex

/// Compiles what matches ask for besides host and path. The same expression and the same name are compiled once.
struct RouteConditionBuilder {
  struct Compiled {
    var path: Pattern?
    var method = Method.other
    /// Empty: any method.
    var methodText: [UInt8] = []
    var headers = 0..<0
    var query = 0..<0
  }

  /// For each spec, in the order added.
  private(set) var compiled: [Compiled] = []
  private(set) var headers: [RouteStorage.HeaderCondition] = []
  private(set) var query: [RouteStorage.QueryCondition] = []
  /// Owners of what the conditions point at.
  private(set) var patterns: [Pattern] = []
  private(set) var texts: [OwnedBytes] = []
  private var patternIndex: [String: Int] = [:]
  private var textIndex: [String: Int] = [:]

  mutating func add(_ spec: RouteMatchSpec) throws(RouteTableError) {
    var result = Compiled()
    if spec.target < 0 || spec.target > Int(Int32.max) {
      throw RouteTableError(spec.order, .target, "\(spec.target) is no index")
    }
    switch spec.path {
    case .regex(let text): result.path = try pattern(text, spec, .path)
    case .grpc(let path): result.path = try pattern(path.expression, spec, .path)
    case .exact, .prefix: break
    }
    if let method = spec.method { (result.method, result.methodText) = try RouteConditionBuilder.method(method, spec) }

    let headerStart = headers.count
    for match in spec.effectiveHeaders {
      guard let name = HeaderName(match.name) else {
        throw RouteTableError(spec.order, .header(match.name), "this is no header name")
      }
      let value = try value(match.value, spec, .header(match.name))
      headers.append(RouteStorage.HeaderCondition(name: name, value: value))
    }
    result.headers = headerStart..<headers.count

    let queryStart = query.count
    for match in spec.effectiveQuery {
      let value = try value(match.value, spec, .query(match.name))
      query.append(RouteStorage.QueryCondition(name: text(match.name), value: value))
    }
    result.query = queryStart..<query.count

    if result.headers.count > Int(UInt16.max) || result.query.count > Int(UInt16.max) {
      throw RouteTableError(spec.order, .target, "more conditions than \(UInt16.max)")
    }
    compiled.append(result)
  }

  private static func method(
    _ text: String, _ spec: RouteMatchSpec
  ) throws(RouteTableError) -> (Method, [UInt8]) {
    let owned = OwnedBytes(text)
    defer { withExtendedLifetime(owned) {} }
    if !HeaderTable.isFieldName(owned.bytes) || owned.bytes.count > 64 {
      throw RouteTableError(spec.order, .method, "\"\(text)\" is no method")
    }
    return (Method(owned.bytes), owned.bytes.array)
  }

  private mutating func value(
    _ match: RouteMatchSpec.ValueMatch, _ spec: RouteMatchSpec, _ field: RouteTableError.Field
  ) throws(RouteTableError) -> RouteStorage.ValueCondition {
    switch match {
    case .exact(let value): return RouteStorage.ValueCondition(pattern: nil, exact: text(value))
    case .regex(let expression):
      let pattern = try pattern(expression, spec, field)
      return RouteStorage.ValueCondition(pattern: .passUnretained(pattern), exact: Bytes())
    }
  }

  private mutating func pattern(
    _ text: String, _ spec: RouteMatchSpec, _ field: RouteTableError.Field
  ) throws(RouteTableError) -> Pattern {
    if let known = patternIndex[text] { return patterns[known] }
    do {
      let pattern = try Pattern(text, anchoring: .whole)
      patternIndex[text] = patterns.count
      patterns.append(pattern)
      return pattern
    } catch {
      throw RouteTableError(spec.order, field, "invalid regular expression \(error)")
    }
  }

  /// Text in memory of its own: equal texts are one, so that names can be compared by address.
  private mutating func text(_ string: String) -> Bytes {
    if let known = textIndex[string] { return texts[known].bytes }
    let owned = OwnedBytes(string)
    textIndex[string] = texts.count
    texts.append(owned)
    return owned.bytes
  }
}
