/// Why a request takes the route that it takes: every match that was considered, in the order in which they are tried.
public struct RouteExplanation: Sendable, CustomStringConvertible {
  public enum Verdict: Sendable, Equatable, CustomStringConvertible {
    /// This is the one.
    case chosen
    /// It matches too, but comes after the chosen one.
    case outranked
    /// It does not match; why.
    case different(String)
    /// It belongs to this listener, and another one takes all requests for the host.
    case otherListener(String)
    /// Whether it matches could not be found out; why. The request is refused.
    case failed(String)
    /// Its turn does not come, because of a failure before it.
    case notReached

    public var description: String {
      switch self {
      case .chosen: "chosen"
      case .outranked: "matches too, but comes after the chosen one"
      case .different(let reason): "no: \(reason)"
      case .otherListener(let name): "no: it is attached to listener \(name)"
      case .failed(let reason): "refused: \(reason)"
      case .notReached: "not tried"
      }
    }
  }

  public struct Candidate: Sendable {
    /// Index of the rule, as the table answers with it.
    public var target: Int
    /// `namespace/name`.
    public var route: String
    public var rule: Int
    public var match: Int
    /// The hostname, of those that the route names, that matches the request's host.
    public var hostname: String
    /// What the match asks for, in one line.
    public var summary: String
    public var verdict: Verdict
  }

  /// The host as it was looked up.
  public var host: String
  /// Hostname of the listener that takes the request; nil: none does.
  public var listener: String?
  /// The matches whose hostname fits, in order of precedence.
  public var candidates: [Candidate]
  /// How many matches are for other hosts.
  public var otherHosts: Int

  /// The rule that the request takes, or nil.
  public var target: Int? { candidates.first { $0.verdict == .chosen }?.target }

  public var description: String {
    var lines = ["host \(host): " + (listener.map { "listener \($0)" } ?? "no listener")]
    for (i, c) in candidates.enumerated() {
      lines.append("\(i + 1). \(c.route) rule \(c.rule) match \(c.match): host \(c.hostname), \(c.summary)")
      lines.append("   \(c.verdict)")
    }
    if otherHosts > 0 { lines.append("\(otherHosts) for other hosts") }
    return lines.joined(separator: "\n")
  }
}
