/// How the endpoints of a service are asked whether they are well.
public struct HealthCheckSettings: Sendable, Hashable {
  public enum Check: String, Sendable, Hashable, CaseIterable {
    /// A GET request; a status among the expected ones is well.
    case http
    /// A connection, with its TLS handshake where the service has one.
    case tcp
    /// `grpc.health.v1.Health/Check` (gRPC's health checking protocol); SERVING is well.
    case grpc
  }

  public let type: Check
  public let path: String
  /// Of `http` and `grpc`; nil: the endpoint's address.
  public let host: String?
  public let expectedStatuses: [ClosedRange<Int>]
  /// What gRPC is asked about; empty: the server as a whole.
  public let service: String
  /// nil: that of the endpoint.
  public let port: Int?
  public let interval: ConfigDuration
  public let timeout: ConfigDuration
  public let healthyThreshold: Int
  public let unhealthyThreshold: Int
  /// Per cent by which intervals vary, so that proxies do not ask in step.
  public let jitter: Int

  init(_ reader: ObjectReader) {
    type = reader.enumeration("type", default: .http)
    path = reader.string("path", .length(1...1024), .checkPath, default: "/")
    host = reader.optionalString("host", .length(1...253), .checkHost)
    let statuses = reader.list("expectedStatuses", count: 0...16, HealthCheckSettings.statuses)
    expectedStatuses = statuses.isEmpty ? [200...299] : statuses
    service = reader.string("service", .length(0...1024), .checkService, default: "")
    port = reader.optionalInt("port", in: 1...65_535)
    interval = reader.duration("interval", in: .milliseconds(100)...(.seconds(86_400)), default: .seconds(10))
    timeout = reader.duration("timeout", in: .milliseconds(10)...(.seconds(300)), default: .seconds(1))
    healthyThreshold = reader.int("healthyThreshold", in: 1...100, default: 2)
    unhealthyThreshold = reader.int("unhealthyThreshold", in: 1...100, default: 3)
    jitter = reader.int("jitter", in: 0...100, default: 10)
    for (name, types) in [("path", [Check.http]), ("expectedStatuses", [.http]), ("service", [.grpc])]
    where reader.has(name) && !types.contains(type) {
      reader.error(name, "is of no use to a check of type \(type.rawValue); remove it")
    }
    if type == .tcp && reader.has("host") { reader.error("host", "is of no use to a check of type tcp; remove it") }
  }

  /// `200`, or `"200-299"`.
  private static func statuses(_ node: ConfigNode) throws -> ClosedRange<Int> {
    if let code = try? node.int(in: 100...599) { return code...code }
    let parts = try node.string().split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let first = parts[0], let last = parts[1], (100...599).contains(first),
      (first...599).contains(last)
    else { throw node.error("write a status from 100 to 599, such as 204, or a range, such as \"200-299\"") }
    return first...last
  }
}

/// When endpoints are left out for how they answer the requests of clients.
public struct OutlierDetectionSettings: Sendable, Hashable {
  /// Responses with a status from 500, and failures of connections, in a row; 0: not looked at.
  public let consecutive5xx: Int
  /// 502, 503, 504 and failures of connections in a row; 0: not looked at.
  public let consecutiveGatewayErrors: Int
  /// How long an endpoint is left out the first time; twice that the second, and so on.
  public let baseEjectionTime: ConfigDuration
  public let maxEjectionTime: ConfigDuration
  /// Of the service's endpoints that are left out at once; one may always be, if there is another.
  public let maxEjectionPercent: Int

  init(_ reader: ObjectReader) {
    consecutive5xx = reader.int("consecutive5xx", in: 0...1000, default: 5)
    consecutiveGatewayErrors = reader.int("consecutiveGatewayErrors", in: 0...1000, default: 0)
    let range: ClosedRange<ConfigDuration> = .milliseconds(100)...(.seconds(86_400))
    baseEjectionTime = reader.duration("baseEjectionTime", in: range, default: .seconds(30))
    maxEjectionTime = reader.duration("maxEjectionTime", in: range, default: max(.seconds(300), baseEjectionTime))
    maxEjectionPercent = reader.int("maxEjectionPercent", in: 0...100, default: 50)
    if maxEjectionTime < baseEjectionTime {
      reader.error("maxEjectionTime", "\(maxEjectionTime) is shorter than baseEjectionTime, \(baseEjectionTime)")
    }
    if consecutive5xx == 0 && consecutiveGatewayErrors == 0 {
      reader.warn(nil, "looks at nothing; give consecutive5xx or consecutiveGatewayErrors, or remove it")
    }
  }
}

extension StringRule {
  fileprivate static let checkPath = StringRule(
    "a path begins with \"/\" and has visible ASCII characters only",
    { $0.hasPrefix("/") && $0.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") } })

  fileprivate static let checkHost = StringRule(
    "a host is a name or an address, perhaps with a port",
    { $0.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"/?#@\\\"".utf8.contains($0) } })

  fileprivate static let checkService = StringRule(
    "a service's name has visible ASCII characters only", { $0.utf8.allSatisfy { (0x21...0x7e).contains($0) } })
}
