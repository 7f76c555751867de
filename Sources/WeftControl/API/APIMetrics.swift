import HTTPTypes
import Hummingbird
import Synchronization
import WeftStore

/// What else `/metrics` shows.
public protocol MetricsSource: Sendable {
  /// Adds its families.
  func write(to page: inout MetricsPage) async
}

/// A page in Prometheus' text format. Families are written whole, one after the other.
public struct MetricsPage: Sendable {
  public enum Kind: String, Sendable { case counter, gauge, histogram, summary }

  public private(set) var text = ""

  public init() {}

  /// Begins a family.
  public mutating func family(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  /// A value of the family that was begun last.
  /// - Parameter suffix: `_bucket`, `_sum`, `_count` of a histogram.
  public mutating func sample(
    _ name: String, suffix: String = "", _ labels: [(String, String)] = [], _ value: Double
  ) {
    text += name + suffix
    if !labels.isEmpty {
      text += "{" + labels.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",") + "}"
    }
    let whole = Int64(exactly: value)
    text += " " + (whole.map(String.init) ?? "\(value)") + "\n"
  }

  private static func escape(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }
}

/// Counts requests of the API.
final class APIMetrics: Sendable {
  private struct Key: Hashable {
    let method: String
    let code: Int
  }

  private struct State {
    var requests: [Key: UInt64] = [:]
    var buckets: [UInt64] = Array(repeating: 0, count: APIMetrics.bounds.count + 1)
    var seconds = 0.0
  }

  /// Seconds.
  static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  private let state = Mutex(State())

  /// - Parameter method: one that the API knows, or `other`, so that clients cannot make labels.
  func count(method: String, code: Int, seconds: Double) {
    state.withLock { state in
      state.requests[Key(method: method, code: code), default: 0] += 1
      state.buckets[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
      state.seconds += seconds
    }
  }

  func write(to page: inout MetricsPage) {
    let (requests, buckets, seconds) = state.withLock { ($0.requests, $0.buckets, $0.seconds) }
    let name = "weft_control_api_requests_total"
    page.family(name, .counter, "Requests of the HTTP API, by method and status.")
    for (key, count) in requests.sorted(by: { ($0.key.method, $0.key.code) < ($1.key.method, $1.key.code) }) {
      page.sample(name, [("method", key.method), ("code", "\(key.code)")], Double(count))
    }
    let histogram = "weft_control_api_request_duration_seconds"
    page.family(histogram, .histogram, "Time until the head of a response of the HTTP API.")
    var sum: UInt64 = 0
    for (index, count) in buckets.enumerated() {
      sum += count
      let bound = index < Self.bounds.count ? "\(Self.bounds[index])" : "+Inf"
      page.sample(histogram, suffix: "_bucket", [("le", bound)], Double(sum))
    }
    page.sample(histogram, suffix: "_sum", seconds)
    page.sample(histogram, suffix: "_count", Double(sum))
  }
}

extension MetricsPage {
  fileprivate mutating func sample(_ name: String, suffix: String, _ value: Double) {
    sample(name, suffix: suffix, [], value)
  }
}

/// Counts every request, and logs what failed.
struct CountRequests: RouterMiddleware {
  typealias Context = APIContext

  let metrics: APIMetrics

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    let response: Response
    do {
      response = try await next(request, context)
    } catch {
      response = APIProblem(error).response
    }
    let time = start.duration(to: .now)
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    let method = ResourceRoutes.methods.contains(request.method) ? request.method.rawValue : "other"
    metrics.count(method: method, code: response.status.code, seconds: seconds)
    if response.status.code >= 500 {
      context.logger.warning("\(request.method.rawValue) \(request.uri.path.prefix(200)): \(response.status.code)")
    }
    return response
  }
}
