import Foundation
import WeftConfig
import WeftStore

/// Where a rollout of a bundle stands. Kept in the store beside its FilterBundle, so that whoever leads goes on with it.
public struct RolloutStatus: Sendable, Hashable, Codable {
  public enum Phase: String, Sendable, Codable {
    case progressing = "Progressing"
    /// The step goes on until somebody promotes the rollout.
    case waiting = "Waiting"
    /// It was decided to make the candidate the present version.
    case completing = "Completing"
    case succeeded = "Succeeded"
    /// It was decided to undo it.
    case rollingBack = "RollingBack"
    case rolledBack = "RolledBack"
    /// Somebody took it back.
    case aborted = "Aborted"

    public var isOver: Bool { self == .succeeded || self == .rolledBack || self == .aborted }
  }

  public struct Step: Sendable, Hashable, Codable {
    public var percent: Int
    /// Seconds; nil: until it is promoted.
    public var pause: Double?
  }

  public struct Refusal: Sendable, Hashable, Codable {
    public var proxy: String
    /// As `weft check` says it, each a line.
    public var message: String
  }

  public struct Moment: Sendable, Hashable, Codable {
    /// Seconds since the Unix epoch.
    public var time: Double
    public var text: String
  }

  static let historyLimit = 50
  static let refusalLimit = 20
  static let sampleLimit = 10

  /// `sha256:HEX` of the version in force when it began.
  public var from: String
  public var candidate: String
  /// `Canary` or `Shadow`.
  public var mode: String
  /// `Proxies` or `Requests`.
  public var by: String
  public var steps: [Step]
  /// Index of the present one.
  public var step = 0
  /// The candidate's share, in percent.
  public var percent = 0
  public var phase = Phase.progressing
  /// Why it is where it is.
  public var message = ""
  // Seconds since the Unix epoch.
  public var started: Double
  public var stepSince: Double
  public var ended: Double?
  /// Somebody wants it to go on, to the next step or to its end.
  public var isPromoted = false
  public var isPromotedToEnd = false
  /// Since it began.
  public var stableFigures = RolloutFigures()
  public var candidateFigures = RolloutFigures()
  /// Since they were compared last.
  var stableWindow = RolloutFigures()
  var candidateWindow = RolloutFigures()
  public var comparedAt: Double
  /// Comparisons that passed in this step, and that failed since it began.
  public var passes = 0
  public var failures = 0
  /// The last comparison.
  public var checks: [RolloutCheck] = []
  public var refusals: [Refusal] = []
  /// Differences in shadow mode, the latest ones.
  public var samples: [String] = []
  public var history: [Moment] = []

  init(_ rollout: FilterBundleRollout, from digest: String, at now: Double) {
    from = digest
    candidate = rollout.candidate
    mode = rollout.mode.rawValue
    by = rollout.unit.rawValue
    steps = Self.steps(rollout)
    started = now
    stepSince = now
    comparedAt = now
  }

  static func steps(_ rollout: FilterBundleRollout) -> [Step] {
    rollout.steps.map { Step(percent: $0.percent, pause: $0.pause?.seconds) }
  }

  mutating func note(_ text: String, at now: Double) {
    message = text
    history.append(Moment(time: now, text: text))
    if history.count > Self.historyLimit { history.removeFirst(history.count - Self.historyLimit) }
  }

  // MARK: In the store

  private struct Document: Codable {
    var rollout: RolloutStatus
  }

  /// nil: the entry holds none.
  init?(_ entry: Entry) {
    guard let bytes = entry.value, let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)) else {
      return nil
    }
    self = document.rollout
  }

  var bytes: [UInt8] {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return Array(try encoder.encode(Document(rollout: self)))
    }
  }
}
