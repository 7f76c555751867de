/// `spec.rollout` of a FilterBundle: how its proxies go over to another version.
public struct FilterBundleRollout: Sendable, Hashable {
  public enum Mode: String, Sendable, CaseIterable {
    /// The candidate takes its share of the work.
    case canary = "Canary"
    /// The candidate runs beside the present version on its share of the requests, without effect.
    case shadow = "Shadow"
  }

  /// What a step's percentage is of.
  public enum Unit: String, Sendable, CaseIterable {
    case proxies = "Proxies"
    case requests = "Requests"
  }

  public struct Step: Sendable, Hashable {
    /// 1 to 100.
    public let percent: Int
    /// How long it lasts; nil: until somebody promotes the rollout.
    public let pause: ConfigDuration?

    public init(percent: Int, pause: ConfigDuration?) {
      self.percent = percent
      self.pause = pause
    }

    init(_ reader: ObjectReader) {
      percent = reader.int("percent", in: 1...100)
      pause = reader.optionalDuration("pause", in: .zero...ConfigDuration.seconds(30 * 86_400))
    }
  }

  /// What the candidate must not do worse than the present version.
  public struct Analysis: Sendable, Hashable {
    /// How often the two are compared.
    public let interval: ConfigDuration
    /// Requests of the candidate without which nothing is concluded.
    public let minimumRequests: Int
    /// Comparisons that may fail before the rollout is undone.
    public let failuresAllowed: Int
    /// Percentage points by which its share of responses with a 5xx may be larger.
    public let errorRate: Double
    /// Percentage points by which its share of requests whose script fails may be larger.
    public let scriptErrorRate: Double
    /// Percent by which its latencies may be longer; nil: they are not compared.
    public let latencyP99: Double?
    public let latencyMean: Double?

    init(_ reader: ObjectReader) {
      interval = reader.duration("interval", in: .seconds(1)...(.seconds(3_600)), default: .seconds(10))
      minimumRequests = reader.int("minimumRequests", in: 0...1_000_000_000, default: 100)
      failuresAllowed = reader.int("failuresAllowed", in: 0...1_000, default: 0)
      errorRate = reader.double("errorRate", in: 0...100, default: 1)
      scriptErrorRate = reader.double("scriptErrorRate", in: 0...100, default: 0)
      latencyP99 = reader.optionalDouble("latencyP99", in: 0...10_000)
      latencyMean = reader.optionalDouble("latencyMean", in: 0...10_000)
    }

    /// What holds when the rollout says nothing.
    public static let standard = Analysis()

    private init() {
      interval = .seconds(10)
      minimumRequests = 100
      failuresAllowed = 0
      errorRate = 1
      scriptErrorRate = 0
      latencyP99 = nil
      latencyMean = nil
    }
  }

  /// `sha256:HEX` of the version to go over to.
  public let candidate: String
  public let mode: Mode
  public let unit: Unit
  /// Percentages rise from one to the next.
  public let steps: [Step]
  public let analysis: Analysis
  /// The share in force, which the control plane writes: 0 to 100.
  public let percent: Int

  public static let standardSteps = [
    Step(percent: 10, pause: .seconds(60)), Step(percent: 50, pause: .seconds(60)), Step(percent: 100, pause: .zero),
  ]

  public init(_ reader: ObjectReader) {
    candidate = reader.string("candidate", FilterBundleResource.isDigest)
    mode = reader.enumeration("mode", default: .canary)
    unit = reader.enumeration("by", default: .proxies)
    let given = reader.objects("steps", count: 0...20) { Step($0) }
    steps = given.isEmpty ? Self.standardSteps : given
    for (a, b) in zip(steps, steps.dropFirst()) where b.percent <= a.percent {
      reader.error("steps", "\(b.percent) comes after \(a.percent); each step takes more than the one before it")
    }
    analysis = reader.optionalObject("analysis") { Analysis($0) } ?? .standard
    percent = reader.int("percent", in: 0...100, default: 0)
  }
}
