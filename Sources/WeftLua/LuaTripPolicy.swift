import WeftConfig

/// When a filter whose script keeps failing trips, and what becomes of requests as long as it is.
struct LuaTripPolicy: Sendable {
  enum Mode: String, CaseIterable, Sendable {
    /// Requests go on as if the filter were not there.
    case open
    /// Requests are denied without running the script.
    case closed
  }

  /// Failures within `window` that trip the filter; 0: it never trips.
  var failures = 20
  /// Share of the requests that must have failed for that: who can make some requests fail does not close the filter to
  /// all others.
  var percent = 50
  var window = ConfigDuration.seconds(30)
  /// How long it is tripped before one request is tried.
  var duration = ConfigDuration.seconds(10)
  var mode: Mode

  /// What holds where nothing is given: a filter that denies when it fails trips closed, one that is skipped open.
  init(_ onError: LuaFilterType.ErrorPolicy) { mode = onError == .skip ? .open : .closed }

  init(_ node: ConfigNode, _ onError: LuaFilterType.ErrorPolicy) throws {
    self = try ObjectReader.decode(node) { reader in
      var policy = LuaTripPolicy(onError)
      policy.failures = reader.int("failures", in: 0...1_000_000, default: policy.failures)
      policy.percent = reader.int("percent", in: 1...100, default: policy.percent)
      policy.window = reader.duration("window", in: .seconds(1) ... .minutes(60), default: policy.window)
      policy.duration = reader.duration("for", in: .seconds(1) ... .minutes(60), default: policy.duration)
      policy.mode = reader.enumeration("mode", default: policy.mode)
      return policy
    }
  }
}
