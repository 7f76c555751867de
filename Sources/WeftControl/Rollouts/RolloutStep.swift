import WeftConfig

/// What is decided about a rollout, from what is known of it: no clock, no store.
extension RolloutStatus {
  /// Adds what was done since the last time.
  mutating func add(stable: RolloutFigures, candidate: RolloutFigures) {
    stableFigures.add(stable)
    candidateFigures.add(candidate)
    stableWindow.add(stable)
    candidateWindow.add(candidate)
  }

  /// Decides what comes next.
  mutating func advance(_ rollout: FilterBundleRollout, at now: Double) {
    guard phase == .progressing || phase == .waiting else { return }
    steps = Self.steps(rollout)
    step = min(step, steps.count - 1)
    compare(rollout.analysis, at: now)
    guard phase != .rollingBack else { return }
    if isPromotedToEnd { return complete("promoted to its end", at: now) }
    let present = steps[step]
    if isPromoted {
      isPromoted = false
      return next("promoted", at: now)
    }
    let isLast = step == steps.count - 1
    // The last step is over when the candidate has proved itself; others without a pause wait for somebody.
    guard let pause = present.pause ?? (isLast && present.percent == 100 ? 0 : nil) else {
      if phase != .waiting {
        phase = .waiting
        note("waits at \(present.percent) % for somebody to promote it", at: now)
      }
      return
    }
    phase = .progressing
    // A clock that was set back makes a step longer, not endless.
    if stepSince > now { stepSince = now }
    guard now - stepSince >= pause else { return }
    guard passes > 0 || rollout.analysis.minimumRequests == 0 else {
      let seen = candidateWindow.requests
      message =
        "at \(present.percent) %: waits for \(rollout.analysis.minimumRequests) requests of the candidate to compare; \(seen) so far"
      return
    }
    next("step \(step + 1) passed", at: now)
  }

  /// Undoes it.
  mutating func rollBack(_ reason: String, at now: Double) {
    phase = .rollingBack
    note("rolled back: \(reason)", at: now)
  }

  private mutating func next(_ reason: String, at now: Double) {
    guard step + 1 < steps.count else { return complete(reason, at: now) }
    step += 1
    stepSince = now
    passes = 0
    phase = .progressing
    note("\(reason); now \(steps[step].percent) %", at: now)
  }

  private mutating func complete(_ reason: String, at now: Double) {
    phase = .completing
    note(reason, at: now)
  }

  /// Compares the two versions when it is time and there is enough to compare.
  private mutating func compare(_ analysis: FilterBundleRollout.Analysis, at now: Double) {
    if comparedAt > now { comparedAt = now }
    guard now - comparedAt >= analysis.interval.seconds,
      candidateWindow.requests >= UInt64(max(analysis.minimumRequests, 1))
    else { return }
    comparedAt = now
    checks = analysis.checks(stable: stableWindow, past: stableFigures, candidate: candidateWindow)
    stableWindow = RolloutFigures()
    candidateWindow = RolloutFigures()
    let failed = checks.filter { !$0.isPassed }
    if failed.isEmpty {
      passes += 1
      return
    }
    failures += 1
    let text = failed.map(\.text).joined(separator: "; ")
    if failures > analysis.failuresAllowed {
      rollBack(text, at: now)
    } else {
      note("comparison failed (\(failures) of \(analysis.failuresAllowed) allowed): \(text)", at: now)
    }
  }
}
