import WeftIO

/// What `weft routes` says of a request: which rule takes it, through which filters and to which services, and why.
public struct RouteAnswer: Sendable, CustomStringConvertible {
  public struct Filter: Sendable {
    /// As the configuration calls it.
    public var name: String
    public var type: String
  }

  public struct Backend: Sendable {
    /// `namespace/name`; nil: there is none, and the request gets 500 (`UNAVAILABLE` for gRPC) unless a filter answers.
    public var service: String?
    /// Of the rule's requests, in percent.
    public var share: Int
    /// What the policies of the service make of the request; empty where none governs it.
    public var authorization: [String] = []
    /// In the order in which requests pass them.
    public var filters: [Filter] = []
  }

  /// Why there is no rule for the request, where it is not for want of one: mistakes in the configuration, no such
  /// listener, a request that is refused.
  public var error: String?
  /// The listener's name and address.
  public var listener: (name: String, address: SocketAddress)?
  /// The path in normal form, where it is another one than was asked for.
  public var normalPath: String?
  /// Every match that was considered.
  public var explanation: RouteExplanation?
  /// The rule that the request takes.
  public var rule: String?
  /// What the policies of listener and route make of the request; empty where none governs it.
  public var authorization: [String] = []
  public var backends: [Backend] = []

  init(error: String? = nil) { self.error = error }

  public var description: String {
    if let error { return error }
    var lines: [String] = []
    if let listener { lines.append("listener \(listener.name) at \(listener.address)") }
    if let normalPath { lines.append("path \(normalPath), in normal form") }
    if let explanation { lines.append("\(explanation)") }
    guard let rule else {
      lines.append("no route: the answer is 404, UNIMPLEMENTED for gRPC")
      return lines.joined(separator: "\n")
    }
    lines.append("rule \(rule)")
    lines += authorization.map { "authorization: \($0)" }
    for backend in backends {
      let service = backend.service ?? "none (500, UNAVAILABLE for gRPC, unless a filter answers)"
      lines.append("  backend \(service), \(backend.share) %")
      lines += backend.authorization.map { "    authorization of the service: \($0)" }
      lines += backend.filters.map { "    filter \($0.name) (\($0.type))" }
    }
    return lines.joined(separator: "\n")
  }
}
