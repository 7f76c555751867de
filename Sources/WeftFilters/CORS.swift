import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// `cors`: answers the questions of browsers about who may read a resource (the Fetch standard's CORS protocol).
///
/// Also the Gateway API's CORS filter.
public struct CORS: FilterType {
  public static let name = "cors"

  /// A response field that is the same for all, or that repeats what the request asked for.
  enum Answer: Sendable {
    case none
    case fixed(OwnedBytes)
    case echo
  }

  let allowsAny: Bool
  let origins: [OriginPattern]
  let allowsCredentials: Bool
  let methods: Answer
  let headers: Answer
  let exposed: OwnedBytes?
  let maxAge: OwnedBytes
  let series: FilterSeries

  public init(_ policy: HTTPCORSPolicy, _ context: FilterTypeContext) throws {
    allowsAny = policy.allowOrigins.contains("*")
    var origins: [OriginPattern] = []
    for text in policy.allowOrigins where text != "*" {
      guard let pattern = OriginPattern(text) else { throw InvalidFilterValue("\"\(text)\" is no origin") }
      origins.append(pattern)
    }
    self.origins = origins
    allowsCredentials = policy.allowCredentials
    // With credentials, browsers take `*` literally: the answer has to name what was asked for.
    func answer(_ list: [String]) -> Answer {
      if list.isEmpty { return .none }
      if list.contains("*") { return policy.allowCredentials ? .echo : .fixed(OwnedBytes("*")) }
      return .fixed(OwnedBytes(list.joined(separator: ", ")))
    }
    methods = answer(policy.allowMethods)
    headers = answer(policy.allowHeaders)
    let exposed = policy.exposeHeaders.filter { $0 != "*" || !policy.allowCredentials }
    self.exposed = exposed.isEmpty ? nil : OwnedBytes(exposed.joined(separator: ", "))
    maxAge = OwnedBytes("\(policy.maxAge)")
    series = try FilterSeries(
      context, "weft_filter_cors_requests_total",
      help: "Requests with an Origin: allowed, denied, preflight_allowed, preflight_denied.", label: "result")
  }

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    let policy = HTTPCORSPolicy(reader)
    if policy.allowOrigins.isEmpty && !reader.hasErrors {
      reader.error("allowOrigins", "is missing; without an origin the filter allows nobody")
    }
    try self.init(policy, context)
  }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter { CORSFilter(self, worker) }
}

final class CORSFilter: HTTPFilter {
  private let cors: CORS
  /// Every response says `*`, whoever asks.
  private let saysAny: Bool
  private let allowed: Counter
  private let denied: Counter
  private let preflightAllowed: Counter
  private let preflightDenied: Counter

  private static let origin = HeaderName("origin")
  private static let requestMethod = HeaderName("access-control-request-method")
  private static let requestHeaders = HeaderName("access-control-request-headers")
  private static let allowOrigin = HeaderName("access-control-allow-origin")
  private static let allowCredentials = HeaderName("access-control-allow-credentials")
  private static let allowMethods = HeaderName("access-control-allow-methods")
  private static let allowHeaders = HeaderName("access-control-allow-headers")
  private static let exposeHeaders = HeaderName("access-control-expose-headers")
  private static let maxAge = HeaderName("access-control-max-age")

  // What is kept of a request: whether its origin may read the response.
  private static let isAllowed: UInt = 1
  private static let isDenied: UInt = 2

  init(_ cors: CORS, _ worker: WorkerContext) {
    self.cors = cors
    saysAny = cors.allowsAny && !cors.allowsCredentials
    allowed = cors.series.counter(worker, "allowed")
    denied = cors.series.counter(worker, "denied")
    preflightAllowed = cors.series.counter(worker, "preflight_allowed")
    preflightDenied = cors.series.counter(worker, "preflight_denied")
  }

  override var phases: FilterPhases { [.request, .response] }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    guard let origin = exchange.request.headers.value(Self.origin) else { return .next }
    let isAllowed = mayRead(origin)
    if exchange.request.method == .options, let method = exchange.request.headers.value(Self.requestMethod) {
      answer(exchange, origin, method, isAllowed)
      return .respond
    }
    if isAllowed { allowed.add() } else { denied.add() }
    exchange.filterNumber = isAllowed ? Self.isAllowed : Self.isDenied
    return .next
  }

  private func mayRead(_ origin: Bytes) -> Bool {
    if cors.allowsAny { return true }
    for pattern in cors.origins where pattern.matches(origin) { return true }
    return false
  }

  /// The answer to a preflight request. One that is not allowed gets an answer as well, without permission.
  private func answer(_ exchange: Exchange, _ origin: Bytes, _ method: Bytes, _ isAllowed: Bool) {
    exchange.respond(204, details: isAllowed ? "cors_preflight" : "cors_preflight_denied")
    if !saysAny { FieldList.addVary(&exchange.response.headers, Bytes("Origin"), lower: Bytes("origin")) }
    guard isAllowed else { return preflightDenied.add() }
    preflightAllowed.add()
    grant(exchange, origin)
    switch cors.methods {
    case .none: break
    case .fixed(let list): exchange.response.headers.add(Self.allowMethods, list.bytes)
    case .echo: exchange.response.headers.add(Self.allowMethods, method)
    }
    switch cors.headers {
    case .none: break
    case .fixed(let list): exchange.response.headers.add(Self.allowHeaders, list.bytes)
    case .echo:
      var line = exchange.request.headers.find(Self.requestHeaders)
      while let i = line {
        exchange.response.headers.add(Self.allowHeaders, exchange.request.headers.value(at: i))
        line = exchange.request.headers.find(Self.requestHeaders, from: i &+ 1)
      }
    }
    exchange.response.headers.add(Self.maxAge, cors.maxAge.bytes)
  }

  override func onResponse(_ exchange: Exchange) -> FilterVerdict {
    // This filter decides, whatever the upstream says.
    exchange.response.headers.remove(Self.allowOrigin)
    exchange.response.headers.remove(Self.allowCredentials)
    exchange.response.headers.remove(Self.exposeHeaders)
    if saysAny {
      grant(exchange, Bytes())
    } else {
      FieldList.addVary(&exchange.response.headers, Bytes("Origin"), lower: Bytes("origin"))
      if exchange.filterNumber == Self.isAllowed, let origin = exchange.request.headers.value(Self.origin) {
        grant(exchange, origin)
      }
    }
    return .next
  }

  private func grant(_ exchange: Exchange, _ origin: Bytes) {
    exchange.response.headers.add(Self.allowOrigin, saysAny ? Bytes("*") : origin)
    if cors.allowsCredentials { exchange.response.headers.add(Self.allowCredentials, Bytes("true")) }
    if let exposed = cors.exposed { exchange.response.headers.add(Self.exposeHeaders, exposed.bytes) }
  }
}
