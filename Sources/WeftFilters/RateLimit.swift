import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// `rate-limit`: lets so many requests through in a time, by key, and refuses the others.
public struct RateLimit: FilterType {
  public static let name = "rate-limit"

  /// Fields that tell clients of the limit.
  enum Fields: String, CaseIterable, Sendable {
    /// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    case rateLimit = "rate-limit"
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    case xRateLimit = "x-rate-limit"
  }

  /// Responses that carry them.
  enum FieldsOn: String, CaseIterable, Sendable { case limited, all }

  let key: RateLimitKey
  let table: RateLimitTable
  let burst: Int
  let status: Int
  let body: OwnedBytes
  let fields: [Fields]
  let fieldsOn: FieldsOn
  let isDryRun: Bool
  /// What stands for the limit in RateLimit fields, quoted.
  let policyName: OwnedBytes
  /// The whole RateLimit-Policy field.
  let policy: OwnedBytes
  let series: FilterSeries

  /// Requests a second beyond which intervals would be too coarse.
  private static let maxRate = 10_000_000.0
  /// Nanoseconds for which a bucket may be ahead.
  private static let maxTolerance = 40.0 * 86_400e9

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    let requests = reader.int("requests", in: 1...1_000_000_000)
    let per = reader.duration("per", in: .milliseconds(1)...(.seconds(30 * 86_400)), default: .seconds(1))
    burst = reader.int("burst", in: 1...1_000_000_000, default: requests)
    key = RateLimitKey(reader)
    let keys = reader.int("maxKeys", in: 8...16_777_216, default: 65_536)
    status = reader.int("status", in: 400...599, default: 429)
    body = OwnedBytes(reader.string("body", .length(0...65_536), default: "rate limit exceeded\n"))
    let named = reader.list("headers", count: 0...2) { try $0.enumeration(Fields.self) }
    fields = reader.has("headers") ? named : [.rateLimit]
    fieldsOn = reader.enumeration("headersOn", default: .limited)
    isDryRun = reader.bool("dryRun", default: false)

    if Double(requests) / per.seconds > RateLimit.maxRate {
      reader.error("requests", "\(requests) per \(per) is more than 10000000 a second")
    }
    let interval = max(Double(per.nanoseconds) / Double(requests), 1)
    if interval * Double(burst) > RateLimit.maxTolerance {
      reader.error("burst", "\(burst) requests take more than 40 days at \(requests) per \(per)")
    }
    // With an error, the table is made but never used.
    let ticks = UInt64((interval * Double(RateLimitTable.ticks)).rounded())
    table = try RateLimitTable(interval: ticks, burst: reader.hasErrors ? 1 : UInt64(burst), keys: keys)
    (policyName, policy) = RateLimit.policy(context.name, requests: requests, per: per)
    series = try FilterSeries(
      context, "weft_filter_rate_limit_decisions_total",
      help: "Decisions of a rate limit: allowed, limited, dry_run, table_full.", label: "result")
  }

  /// The limit's name, and its policy in whole seconds.
  private static func policy(
    _ filter: String, requests: Int, per: ConfigDuration
  ) -> (name: OwnedBytes, policy: OwnedBytes) {
    // Within a String of RFC 9651, a quote or backslash would need an escape.
    let name = filter.utf8.map { $0 < 0x20 || $0 > 0x7e || $0 == 0x22 || $0 == 0x5c ? UInt8(ascii: "_") : $0 }
    let quoted = "\"" + String(decoding: name, as: UTF8.self) + "\""
    let window = max(per.seconds.rounded(.up), 1)
    let quota = Int(Double(requests) * window / per.seconds)
    return (OwnedBytes(quoted), OwnedBytes("\(quoted);q=\(quota);w=\(Int(window))"))
  }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter { RateLimitFilter(self, worker) }
}

final class RateLimitFilter: HTTPFilter {
  private let limit: RateLimit
  private let allowed: Counter
  private let limited: Counter
  private let dryRun: Counter
  private let tableFull: Counter
  private let tellsAll: Bool
  private let tellsRateLimit: Bool
  private let tellsXRateLimit: Bool

  private static let retryAfter = HeaderName("retry-after")
  private static let rateLimit = HeaderName("ratelimit")
  private static let rateLimitPolicy = HeaderName("ratelimit-policy")
  private static let xLimit = HeaderName("x-ratelimit-limit")
  private static let xRemaining = HeaderName("x-ratelimit-remaining")
  private static let xReset = HeaderName("x-ratelimit-reset")

  init(_ limit: RateLimit, _ worker: WorkerContext) {
    self.limit = limit
    allowed = limit.series.counter(worker, "allowed")
    limited = limit.series.counter(worker, "limited")
    dryRun = limit.series.counter(worker, "dry_run")
    tableFull = limit.series.counter(worker, "table_full")
    tellsRateLimit = limit.fields.contains(.rateLimit)
    tellsXRateLimit = limit.fields.contains(.xRateLimit)
    tellsAll = limit.fieldsOn == .all && !limit.fields.isEmpty && !limit.isDryRun
  }

  override var phases: FilterPhases { tellsAll ? [.request, .response] : .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    guard let hash = limit.key.hash(exchange) else { return .next }
    let decision = limit.table.take(hash, now: exchange.now)
    if decision.hasEvicted { tableFull.add() }
    if decision.isAllowed {
      allowed.add()
      if tellsAll { exchange.filterNumber = Standing(decision).packed }
      return .next
    }
    if limit.isDryRun {
      dryRun.add()
      return .next
    }
    limited.add()
    exchange.addFlags(.rateLimited)
    exchange.respond(limit.status, body: limit.body.bytes, details: "rate_limited")
    let standing = Standing(decision)
    addNumber(Self.retryAfter, UInt64(standing.seconds), exchange)
    addFields(standing, exchange)
    return .respond
  }

  override func onResponse(_ exchange: Exchange) -> FilterVerdict {
    let packed = exchange.filterNumber
    if packed != 0 { addFields(Standing(packed: packed), exchange) }
    return .next
  }

  private func addFields(_ standing: Standing, _ exchange: Exchange) {
    if tellsRateLimit {
      exchange.response.headers.add(Self.rateLimitPolicy, limit.policy.bytes)
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 512) { memory in
        guard let base = memory.baseAddress else { return }
        var w = ByteWriter(base, memory.count)
        w.append(limit.policyName.bytes)
        w.append(";r=")
        w.append(decimal: UInt64(standing.remaining))
        w.append(";t=")
        w.append(decimal: UInt64(standing.seconds))
        if !w.overflow { exchange.response.headers.add(Self.rateLimit, w.bytes) }
      }
    }
    if tellsXRateLimit {
      addNumber(Self.xLimit, UInt64(limit.burst), exchange)
      addNumber(Self.xRemaining, UInt64(standing.remaining), exchange)
      addNumber(Self.xReset, UInt64(standing.seconds), exchange)
    }
  }

  private func addNumber(_ name: HeaderName, _ number: UInt64, _ exchange: Exchange) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { memory in
      guard let base = memory.baseAddress else { return }
      var w = ByteWriter(base, memory.count)
      w.append(decimal: number)
      exchange.response.headers.add(name, w.bytes)
    }
  }
}

/// How a client stands, as a number that is kept with the exchange.
private struct Standing {
  let remaining: UInt32
  let seconds: UInt32

  init(_ decision: RateLimitTable.Decision) {
    remaining = UInt32(clamping: decision.remaining)
    seconds = UInt32(clamping: (decision.wait &+ 999_999_999) / 1_000_000_000)
  }

  init(packed: UInt) {
    let bits = UInt64(packed)
    remaining = UInt32(truncatingIfNeeded: bits)
    seconds = UInt32(truncatingIfNeeded: bits &>> 32)
  }

  /// Never 0: what is kept for an allowed request has a second or more to go.
  var packed: UInt { UInt(UInt64(seconds) &<< 32 | UInt64(remaining)) }
}
