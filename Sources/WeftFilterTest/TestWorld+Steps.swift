import WeftFilter
import WeftIO
import WeftTelemetry

/// How time passes in a test: what waits goes on when what it waits for has come, and the clock jumps from one event to
/// the next.
extension TestWorld {
  /// What a test waits for.
  private enum Goal {
    case exchange(FilterBenchExchange)
    /// Of the worker's monotonic clock.
    case time(UInt64)
  }

  /// Nanoseconds of the test's clock that one exchange may take.
  private static let longestWait: UInt64 = 86_400_000_000_000

  /// Lets things happen until the goal is reached or the test must play a part.
  func step(_ wanted: LuaValue) throws -> LuaValue {
    let goal: Goal
    if !isConfigured { try configure(.none) }
    let start = bench.worker.now
    if let nanoseconds = wanted["time"].integer {
      goal = .time(UInt64(max(nanoseconds, 0)))
    } else {
      goal = .exchange(try find(wanted["exchange"]).exchange)
    }
    while true {
      try checkTime()
      if let question = nextQuestion() { return question }
      if case .exchange(let exchange) = goal, exchange.progress == .answered || exchange.progress == .ended { break }
      let now = bench.worker.now
      let times = [due.map(\.time).min(), bench.worker.nextTimer.map { now + $0 }].compactMap(\.self)
      if case .time(let end) = goal, times.allSatisfy({ $0 > end }) {
        pass(to: end)
        break
      }
      guard let next = times.min() else { throw Mistake("the filter waits for something that never comes") }
      if case .exchange = goal, next - start > Self.longestWait {
        throw Mistake("the filter still waits after a day of the test's clock")
      }
      pass(to: next)
      try happen()
    }
    return .table([("kind", .text("done")), ("error", .text(takeFailuresOfBackground(goal)))])
  }

  private func takeFailuresOfBackground(_ goal: Goal) -> String? {
    if case .time = goal { return takeFailures() }
    return nil
  }

  private func pass(to time: UInt64) {
    let now = bench.worker.now
    bench.advance(nanoseconds: time > now ? time - now : 0)
  }

  /// What must be asked of the test next: the upstream's answer to a request, or a service's to a call.
  private func nextQuestion() -> LuaValue? {
    for id in running.keys.sorted() {
      guard let one = running[id], !one.isAsked, one.exchange.progress == .upstream, !one.exchange.isHeld,
        let request = one.exchange.upstreamRequest
      else { continue }
      running[id]?.isAsked = true
      return .table([("kind", .text("upstream")), ("id", .integer(Int64(id))), ("request", MessageText.value(request))])
    }
    for (id, call) in bench.worker.numberedCalls where id > lastCall {
      let value = MessageText.value(call)
      lastCall = id
      calls.append(value)
      return .table([("kind", .text("call")), ("id", .integer(Int64(id))), ("request", value)])
    }
    return nil
  }

  // MARK: Answers

  func answerUpstream(_ id: LuaValue, _ answer: LuaValue) throws {
    let (id, _) = try find(id)
    let delay = Self.delay(answer)
    if delay > 0 {
      due.append(Due(time: bench.worker.now + delay, event: .upstream(id, answer)))
    } else {
      try upstreamAnswers(id, answer)
    }
  }

  /// What comes of a call: its answer, unless its time runs out before.
  func answerCall(_ id: LuaValue, _ answer: LuaValue) throws {
    guard let id = id.integer, let call = bench.worker.numberedCalls.first(where: { $0.id == id })?.call else {
      throw Mistake("there is no such call")
    }
    let now = bench.worker.now
    let timeout = UInt64(call.timeout) * 1_000_000
    let delay = Self.delay(answer)
    if answer["failure"].text == "timeout" || delay > timeout {
      due.append(Due(time: now + timeout, event: .callFails(id, "upstream_first_byte_timeout")))
    } else if delay > 0 {
      due.append(Due(time: now + delay, event: .call(id, answer)))
    } else {
      callAnswers(id, answer)
    }
  }

  /// Milliseconds in Lua, nanoseconds here.
  private static func delay(_ answer: LuaValue) -> UInt64 {
    let milliseconds = answer["delay"].double ?? 0
    return milliseconds > 0 ? UInt64(min(milliseconds, 1e12) * 1e6) : 0
  }

  /// Everything whose time has come.
  private func happen() throws {
    let now = bench.worker.now
    let events = due.filter { $0.time <= now }.sorted { $0.time < $1.time }
    due.removeAll { $0.time <= now }
    for one in events {
      switch one.event {
      case .upstream(let id, let answer): try upstreamAnswers(id, answer)
      case .call(let id, let answer): callAnswers(id, answer)
      case .callFails(let id, let why): bench.worker.answerCall(id: id, 0, body: [], failure: why)
      }
    }
  }

  private func upstreamAnswers(_ id: Int, _ answer: LuaValue) throws {
    // The client may have gone in the meantime.
    guard let exchange = running[id]?.exchange, exchange.progress == .upstream else { return }
    if let failure = answer["failure"].text {
      running[id]?.hasUpstreamFailed = true
      switch failure {
      case "refused":
        try exchange.upstreamFails(
          503, "could not connect to the upstream\n", details: "upstream_connect_failure",
          flags: .upstreamConnectionFailure)
      case "reset":
        try exchange.upstreamFails(
          503, "the upstream closed the connection before it answered\n",
          details: "upstream_reset_before_response_started", flags: .upstreamConnectionTermination)
      default:
        try exchange.upstreamFails(
          504, "the upstream did not answer in time\n", details: "upstream_first_byte_timeout",
          flags: .upstreamRequestTimeout)
      }
      return
    }
    let status = answer["status"].integer ?? 0
    guard (200...599).contains(status) else { throw Mistake("upstream: the status is a number from 200 to 599") }
    let trailers = MessageText.lines(answer["trailers"])
    try exchange.respond(
      status, MessageText.lines(answer["headers"]), bytes: MessageText.pieces(answer["body"]),
      chunked: answer["chunked"].isTrue || !trailers.isEmpty, trailers: trailers)
  }

  private func callAnswers(_ id: Int, _ answer: LuaValue) {
    if let failure = answer["failure"].text {
      let details = failure == "refused" ? "upstream_connect_failure" : "upstream_reset_before_response_started"
      bench.worker.answerCall(id: id, 0, body: [], failure: details)
    } else {
      bench.worker.answerCall(
        id: id, answer["status"].integer ?? 200, MessageText.lines(answer["headers"]),
        body: MessageText.pieces(answer["body"]).flatMap(\.self))
    }
  }
}
