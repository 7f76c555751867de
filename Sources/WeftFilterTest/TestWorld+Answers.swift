import WeftFilter
import WeftLua
import WeftTelemetry

/// What Lua code of a test asks for, by name.
extension TestWorld {
  func answer(_ operation: String, _ argument: LuaValue) throws -> LuaValue {
    switch operation {
    case "configure":
      try configure(argument)
      return .none
    case "start": return .integer(Int64(try begin(argument)))
    case "step": return try step(argument)
    case "answer_upstream":
      try answerUpstream(argument[0], argument[1])
      return .none
    case "answer_call":
      try answerCall(argument[0], argument[1])
      return .none
    case "result": return try result(argument)
    case "cancel":
      try find(argument).exchange.end()
      return .none
    case "now": return .integer(Int64(bench.worker.clock.pointee.wall))
    case "monotonic": return .integer(Int64(bench.worker.now))
    case "set_clock":
      bench.worker.clock.pointee.wall = try Self.moment(argument)
      return .none
    case "logs":
      return .list(log.lines.map { .table([("level", .text($0.levelName)), ("message", .text($0.message))]) })
    case "calls": return .list(calls)
    case "metrics": return .table([("value", try metric(argument["name"].text ?? "", argument["labels"]))])
    default: throw Mistake("unknown operation \(operation)")
    }
  }

  /// The finished exchange, whose log side runs first.
  private func result(_ id: LuaValue) throws -> LuaValue {
    let (id, exchange) = try find(id)
    let metadata = exchange.handle.metadata.values
    let isLocal = exchange.handle.isLocalResponse
    let details = exchange.details
    exchange.end()
    let failures = takeFailures()
    var fields: [(name: String, value: LuaValue)] = []
    if let response = exchange.response, case .table(let message) = MessageText.value(response) { fields = message }
    if let request = exchange.upstreamRequest { fields.append(("upstream", MessageText.value(request))) }
    let isOwn = isLocal && details != "lua_error" && details != "lua_tripped" && running[id]?.hasUpstreamFailed != true
    fields += [
      ("responded", .bool(isOwn)), ("details", .text(details)), ("aborted", .bool(exchange.isAborted)),
      ("error", .text(failures)),
      ("metadata", .table(metadata.sorted { $0.key < $1.key }.map { ($0.key, MessageText.value($0.value)) })),
    ]
    return .table(fields)
  }

  // MARK: Metrics

  /// The sum of the series that have these labels; of a histogram a table of count and sum. None: there is no such series.
  private func metric(_ name: String, _ labels: LuaValue) throws -> LuaValue {
    let snapshot = bench.metrics.snapshot()
    // A script's own go by the name that it gave them.
    guard let family = snapshot.family(LuaUserMetrics.prefix + name) ?? snapshot.family(name) else { return .none }
    var wanted: [(Int, String)] = []
    if case .table(let fields) = labels {
      for field in fields {
        guard let i = family.descriptor.labelNames.firstIndex(of: field.name) else {
          throw Mistake("\(name) has no label \(field.name); it has \(family.descriptor.labelNames)")
        }
        wanted.append((i, field.value.text ?? field.value.json))
      }
    }
    let found = family.series.filter { series in wanted.allSatisfy { series.labels[$0.0] == $0.1 } }
    if found.isEmpty { return .none }
    let scale = family.descriptor.unit == .nanoseconds ? 1e9 : 1
    var number = 0.0
    var count: UInt64 = 0
    var isHistogram = false
    for series in found {
      switch series.value {
      case .counter(let value): number += Double(value) / scale
      case .gauge(let value): number += Double(value) / scale
      case .collected(let value): number += value
      case .histogram(let value):
        isHistogram = true
        count += value.count
        number += Double(value.sum) / scale
      }
    }
    if isHistogram { return .table([("count", .integer(Int64(count))), ("sum", .number(number))]) }
    return Int64(exactly: number).map { .integer($0) } ?? .number(number)
  }

  // MARK: Time

  /// Nanoseconds since 1970 of a number of seconds, or of a date such as 2026-01-31T12:00:00Z.
  private static func moment(_ value: LuaValue) throws(Mistake) -> UInt64 {
    if let seconds = value.double, seconds >= 0, seconds < 9e9 { return UInt64(seconds * 1e9) }
    guard let text = value.text else { throw Mistake("seconds since 1970, from 0 to 9000000000") }
    let parts = text.split(whereSeparator: { "-T:Z ".contains($0) }).map { Int($0) }
    guard text.hasSuffix("Z"), parts.count == 6, let year = parts[0], let month = parts[1], let day = parts[2],
      let hour = parts[3], let minute = parts[4], let second = parts[5], (1970...2200).contains(year),
      (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
      (0...60).contains(second)
    else { throw Mistake("\"\(text)\" is no date such as 2026-01-31T12:00:00Z") }
    // Days since 1970 in the Gregorian calendar, in years that begin with March.
    let shifted = month > 2 ? year : year - 1
    let monthFromMarch = (month + 9) % 12
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    return UInt64(((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000
  }
}
