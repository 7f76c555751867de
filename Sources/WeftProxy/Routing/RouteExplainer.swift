import WeftHTTP
import WeftIO
import WeftRegex

/// Matches as `RouteTable` does, slowly, and says why: it sorts all matches by precedence and tests one after another.
struct RouteExplainer: ~Copyable {
  private let specs: [RouteMatchSpec]
  private let plan: RouteHostPlan
  private let scratch: RouteScratch

  /// Takes, and refuses, what `RouteTable` does.
  init(_ specs: [RouteMatchSpec], listenerHostnames: [String] = []) throws {
    var conditions = RouteConditionBuilder()
    for spec in specs { try conditions.add(spec) }
    let plan = try RouteHostPlan(specs, listenerHostnames: listenerHostnames)
    scratch = try RouteScratch()
    self.specs = specs
    self.plan = plan
  }

  /// Explains the answer of `RouteTable.match` to the same request.
  func explain(
    host: Bytes, methodText: Bytes, path: Bytes, query: Bytes, headers: borrowing HeaderTable
  ) throws -> RouteExplanation {
    let name = host.slice(0, RequestHost.nameLength(host)).array.map(asciiLower)
    let listener = RouteExplainer.mostSpecific(plan.listeners, name)
    var explanation = RouteExplanation(
      host: String(decoding: name, as: UTF8.self), listener: listener?.text, candidates: [], otherHosts: 0)
    var request = RequestValues(method: Method(methodText), methodText: methodText, query: query)
    var isDecided = false
    var hasFailed = false
    for (spec, pattern) in candidates(name, &explanation.otherHosts) {
      var verdict: RouteExplanation.Verdict
      if listener?.text != HostPattern(spec.listenerHostname)?.text {
        verdict = .otherListener(spec.listenerHostname)
      } else if hasFailed {
        verdict = .notReached
      } else {
        do throws(PatternMatchError) {
          let difference = try difference(spec, path, &request, headers)
          verdict = difference.map { .different($0) } ?? (isDecided ? .outranked : .chosen)
        } catch {
          verdict = .failed("\(error)")
        }
      }
      // What comes after the chosen one is tested for the reader only.
      if case .failed = verdict, !isDecided { hasFailed = true }
      if verdict == .chosen { isDecided = true }
      explanation.candidates.append(
        RouteExplanation.Candidate(
          target: spec.target, route: spec.order.name, rule: spec.order.rule, match: spec.order.match,
          hostname: pattern.text, summary: RouteExplainer.summary(spec), verdict: verdict))
    }
    return explanation
  }

  /// The specs that name a host which matches, with the most specific such name, in order of precedence.
  private func candidates(_ name: [UInt8], _ others: inout Int) -> [(RouteMatchSpec, HostPattern)] {
    var found: [(spec: RouteMatchSpec, pattern: HostPattern, precedence: RoutePrecedence)] = []
    for spec in specs {
      guard let pattern = RouteExplainer.mostSpecific(spec.hostnames.compactMap { HostPattern($0) }, name) else {
        others += 1
        continue
      }
      found.append((spec, pattern, RoutePrecedence(spec)))
    }
    found.sort { a, b in
      if a.pattern != b.pattern { return a.pattern.isMoreSpecific(than: b.pattern) }
      return a.precedence < b.precedence
    }
    return found.map { ($0.spec, $0.pattern) }
  }

  private static func mostSpecific(_ patterns: some Sequence<HostPattern>, _ name: [UInt8]) -> HostPattern? {
    patterns.filter { $0.matches(name) }.min { $0.isMoreSpecific(than: $1) }
  }

  // MARK: Conditions

  /// What keeps `spec` from matching, or nil.
  private func difference(
    _ spec: RouteMatchSpec, _ path: Bytes, _ request: inout RequestValues, _ headers: borrowing HeaderTable
  ) throws(PatternMatchError) -> String? {
    switch spec.path {
    case .exact(let text) where path.array != Array(text.utf8): return "the path is not \(text)"
    case .prefix(let text) where !RouteExplainer.isPrefix(spec.prefixPath, path.array):
      return "the path does not begin with \(text)"
    default: break
    }
    if let method = spec.method, request.methodText.array != Array(method.utf8) { return "the method is not \(method)" }
    for match in spec.effectiveHeaders {
      guard let name = HeaderName(match.name), let value = try request.header(name, in: headers, scratch) else {
        return "header \(match.name) is missing"
      }
      if try !holds(match.value, value) { return "header \(match.name) is \"\(value.string)\"" }
    }
    for match in spec.effectiveQuery {
      let name = OwnedBytes(match.name)
      defer { withExtendedLifetime(name) {} }
      guard let encoded = QueryText.first(name.bytes, in: request.query) else {
        return "query parameter \(match.name) is missing"
      }
      let value = try RequestValues.decoded(encoded, scratch)
      if try !holds(match.value, value) { return "query parameter \(match.name) is \"\(value.string)\"" }
    }
    let expression: String? =
      switch spec.path {
      case .regex(let text): text
      case .grpc(let path): path.expression
      case .exact, .prefix: nil
      }
    if let expression, try !holds(.regex(expression), path) { return "the path does not match \(expression)" }
    return nil
  }

  private func holds(_ match: RouteMatchSpec.ValueMatch, _ value: Bytes) throws(PatternMatchError) -> Bool {
    switch match {
    case .exact(let text): return value.array == Array(text.utf8)
    case .regex(let text):
      // `init` has compiled it once already.
      guard let pattern = try? Pattern(text, anchoring: .whole) else { return false }
      return try pattern.matches(value, scratch: scratch.patterns)
    }
  }

  /// Whether `prefix`, which has no trailing slash, is made of the first elements of `path`. All have the empty one,
  /// even `*`.
  private static func isPrefix(_ prefix: [UInt8], _ path: [UInt8]) -> Bool {
    prefix.isEmpty || (path.starts(with: prefix) && (path.count == prefix.count || path[prefix.count] == 0x2f))
  }

  // MARK: Text

  private static func summary(_ spec: RouteMatchSpec) -> String {
    var parts =
      switch spec.path {
      case .exact(let text): ["Exact \(text)"]
      case .prefix(let text): ["PathPrefix \(text)"]
      case .regex(let text): ["RegularExpression \(text)"]
      case .grpc(let path): ["RegularExpression \(path.expression)"]
      }
    if let method = spec.method { parts.append("method \(method)") }
    parts += spec.effectiveHeaders.map { "header \($0.name) \(summary($0.value))" }
    parts += spec.effectiveQuery.map { "query \($0.name) \(summary($0.value))" }
    return parts.joined(separator: ", ")
  }

  private static func summary(_ match: RouteMatchSpec.ValueMatch) -> String {
    switch match {
    case .exact(let text): "= \(text)"
    case .regex(let text): "matches \(text)"
    }
  }
}
