import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// Which failed attempts are repeated.
struct RetryConditions: Sendable {
  /// The names of Envoy's `retry_on`.
  enum Condition: String, CaseIterable {
    /// A response with 500 to 599, or none at all.
    case serverError = "5xx"
    /// A response with 502, 503 or 504, or none at all.
    case gatewayError = "gateway-error"
    /// No response: connection refused, broken, or out of time.
    case reset
    case connectFailure = "connect-failure"
    case refusedStream = "refused-stream"
    /// A response with 409.
    case retriable4xx = "retriable-4xx"
    case retriableStatusCodes = "retriable-status-codes"
    case retriableHeaders = "retriable-headers"
    // A gRPC status in the response's head (trailers-only).
    case grpcCancelled = "cancelled"
    case grpcDeadlineExceeded = "deadline-exceeded"
    case grpcInternal = "internal"
    case grpcResourceExhausted = "resource-exhausted"
    case grpcUnavailable = "unavailable"
  }

  /// A field whose presence, or value, asks for a repetition.
  struct HeaderMatch: Sendable {
    let name: HeaderName
    let value: OwnedBytes?
  }

  /// What an outcome asks for.
  enum Decision {
    case final
    case repeatable
    /// It would be repeated if its method were one that may be.
    case notIdempotent
  }

  private var connectFailures = false
  private var refusals = false
  private var resets = false
  private var statuses: [Bool]
  private var headers: [HeaderMatch] = []
  /// Bit i: the gRPC status i.
  private var grpcStatuses: UInt32 = 0
  /// Methods that may be repeated although the upstream may have acted on them.
  private var methods = MethodSet.idempotent
  /// Responses are repeated whatever the method.
  private var anyMethodForResponses = false

  static let defaults: [Condition] = [.connectFailure, .refusedStream, .gatewayError]

  /// - Parameter codes: as an HTTPRoute gives them.
  init(routeCodes codes: [Int]) {
    statuses = Array(repeating: false, count: 600)
    for code in codes where statuses.indices.contains(code) { statuses[code] = true }
    connectFailures = true
    refusals = true
    resets = true
    anyMethodForResponses = true
  }

  init(_ reader: ObjectReader) {
    statuses = Array(repeating: false, count: 600)
    let named = reader.list("retryOn", count: 0...16) { try $0.enumeration(Condition.self) }
    if reader.rawNode("retryOn")?.items.isEmpty == true { reader.error("retryOn", "needs at least 1 element") }
    let conditions = reader.has("retryOn") ? named : RetryConditions.defaults
    let codes = reader.list("statusCodes", count: 0...200) { try $0.int(in: 400...599) }
    headers = reader.objects("retriableHeaders", count: 0...32) { entry in
      let name = entry.string("name", .headerName)
      let value = entry.optionalString("value", .headerValue).map { OwnedBytes($0) }
      return HeaderName(name).map { HeaderMatch(name: $0, value: value) }
    }.compactMap(\.self)
    if reader.has("methods") { methods = MethodSet(reader.strings("methods", count: 1...32, .methodOrAny)) }

    for condition in conditions { add(condition) }
    for code in codes { statuses[code] = true }
    if conditions.contains(.retriableStatusCodes) && codes.isEmpty {
      reader.error("retryOn", "retriable-status-codes needs \"statusCodes\"")
    }
    if conditions.contains(.retriableHeaders) && headers.isEmpty {
      reader.error("retryOn", "retriable-headers needs \"retriableHeaders\"")
    }
  }

  private mutating func add(_ condition: Condition) {
    switch condition {
    case .serverError:
      for code in 500...599 { statuses[code] = true }
      add(.reset)
    case .gatewayError:
      for code in 502...504 { statuses[code] = true }
      add(.reset)
    case .reset:
      resets = true
      connectFailures = true
      refusals = true
    case .connectFailure: connectFailures = true
    case .refusedStream: refusals = true
    case .retriable4xx: statuses[409] = true
    case .retriableStatusCodes, .retriableHeaders: break
    case .grpcCancelled: add(.cancelled)
    case .grpcDeadlineExceeded: add(.deadlineExceeded)
    case .grpcInternal: add(.internal)
    case .grpcResourceExhausted: add(.resourceExhausted)
    case .grpcUnavailable: add(.unavailable)
    }
  }

  private mutating func add(_ status: GRPCStatus) { grpcStatuses |= 1 &<< UInt32(status.rawValue) }

  func decide(_ exchange: Exchange, _ outcome: AttemptOutcome) -> Decision {
    switch outcome {
    // The upstream has not acted on the request: any method may be repeated.
    case .connectFailure: return connectFailures ? .repeatable : .final
    case .refused: return refusals ? .repeatable : .final
    case .reset, .timeout:
      if !resets { return .final }
      return methods.contains(exchange) ? .repeatable : .notIdempotent
    case .response(let status):
      // A server that gives a gRPC status has judged the request: all of its methods are POST, so that tells nothing.
      if grpcStatuses != 0 && hasGRPCStatus(exchange) { return .repeatable }
      let isRepeatable = (statuses.indices.contains(status) && statuses[status]) || hasHeader(exchange)
      if !isRepeatable { return .final }
      return anyMethodForResponses || methods.contains(exchange) ? .repeatable : .notIdempotent
    }
  }

  private static let grpcStatusField = HeaderName("grpc-status")

  private func hasGRPCStatus(_ exchange: Exchange) -> Bool {
    guard let status = exchange.response.headers.value(Self.grpcStatusField)?.decimal, status < 32 else { return false }
    return grpcStatuses & (1 &<< UInt32(status)) != 0
  }

  private func hasHeader(_ exchange: Exchange) -> Bool {
    for match in headers {
      guard let found = exchange.response.headers.value(match.name) else { continue }
      if let wanted = match.value, !(wanted.bytes == found) { continue }
      return true
    }
    return false
  }
}

/// A set of request methods.
struct MethodSet: Sendable {
  private var known: UInt32 = 0
  private var others: [OwnedBytes] = []
  private var isAll = false

  /// Those that RFC 9110 9.2.2 calls idempotent.
  static let idempotent = MethodSet(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])

  /// - Parameter names: `*` for all.
  init(_ names: [String]) {
    for name in names {
      if name == "*" { isAll = true }
      let text = OwnedBytes(name)
      let method = Method(text.bytes)
      if method == .other { others.append(text) } else { known |= 1 << UInt32(method.rawValue) }
    }
  }

  func contains(_ exchange: Exchange) -> Bool {
    if isAll { return true }
    let method = exchange.request.method
    if method != .other { return known & (1 << UInt32(method.rawValue)) != 0 }
    let text = exchange.request.headers.text(exchange.request.methodText)
    for other in others where other.bytes == text { return true }
    return false
  }
}

extension StringRule {
  /// A method, which is a token (RFC 9110 9.1), or `*`.
  static let methodOrAny = StringRule(
    "use a method such as GET, in upper case, or \"*\" for all",
    { name in
      name == "*"
        || (HeaderName(name) != nil && !name.utf8.contains { $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") })
    })
}
