import Foundation
import WeftConfig

/// One thing in which two versions are compared.
public struct RolloutCheck: Sendable, Hashable, Codable {
  /// `errorRate`, `scriptErrorRate`, `latencyP99` or `latencyMean`.
  public var name: String
  /// In percent, or in milliseconds.
  public var stable: Double
  public var candidate: Double
  /// Up to where the candidate's value is fine.
  public var limit: Double
  public var isPassed: Bool

  /// In a line, for people.
  public var text: String {
    let unit = name.hasPrefix("latency") ? " ms" : " %"
    func number(_ value: Double) -> String { "\((value * 100).rounded() / 100)\(unit)" }
    return "\(name) \(number(candidate)), present version \(number(stable)), at most \(number(limit))"
  }
}

extension FilterBundleRollout.Analysis {
  /// Compares what two versions did in the same time.
  /// - Parameter past: what the present version did before, for when it had no requests meanwhile.
  func checks(stable now: RolloutFigures, past: RolloutFigures, candidate: RolloutFigures) -> [RolloutCheck] {
    let stable = now.requests > 0 ? now : past
    var checks = [
      check("errorRate", stable.errorRate, candidate.errorRate, stable.errorRate + errorRate),
      check(
        "scriptErrorRate", stable.scriptErrorRate, candidate.scriptErrorRate, stable.scriptErrorRate + scriptErrorRate),
    ]
    if let latencyP99, let a = stable.latency(quantile: 0.99), let b = candidate.latency(quantile: 0.99) {
      checks.append(check("latencyP99", a, b, a * (1 + latencyP99 / 100)))
    }
    if let latencyMean, let a = stable.meanLatency, let b = candidate.meanLatency {
      checks.append(check("latencyMean", a, b, a * (1 + latencyMean / 100)))
    }
    return checks
  }

  private func check(_ name: String, _ stable: Double, _ candidate: Double, _ limit: Double) -> RolloutCheck {
    RolloutCheck(name: name, stable: stable, candidate: candidate, limit: limit, isPassed: candidate <= limit + 1e-9)
  }
}
