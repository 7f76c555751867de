/// Why a name has no addresses.
public struct ResolveError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Reason: Equatable, Sendable {
    /// No such name (NXDOMAIN).
    case notFound
    /// The name exists, but has no address of the families asked for.
    case noAddress
    /// No DNS server answered in time.
    case timeout
    /// The servers answered, but not with an answer: SERVFAIL, REFUSED, something unreadable.
    case server(String)
    /// Not a host name.
    case invalidName
    /// More names wait than the resolver's limit.
    case overloaded
  }

  public let name: String
  public let reason: Reason
  /// The DNS servers asked, as text.
  public let servers: String

  public init(_ name: String, _ reason: Reason, servers: String) {
    // A name from outside may be anything, of any length.
    self.name = String(String.UnicodeScalarView(name.unicodeScalars.prefix(260).filter { $0.value >= 0x20 }))
    self.reason = reason
    self.servers = servers
  }

  /// Names the name, the reason and what to do about it.
  public var description: String {
    let asked = servers.isEmpty ? "the DNS server" : "the DNS server (\(servers))"
    switch reason {
    case .notFound:
      return "\(name): there is no such name; correct its spelling, or add it to \(asked) or /etc/hosts"
    case .noAddress:
      return "\(name): the name exists but has no address of the family wanted; add an A or AAAA record"
    case .timeout:
      return "\(name): \(asked) did not answer in time; check /etc/resolv.conf and that UDP and TCP port 53 are open"
    case .server(let what):
      return "\(name): \(asked) failed: \(what); see its log, or name another one in /etc/resolv.conf"
    case .invalidName:
      return "\(name): not a host name; use letters, digits, `-`, `_` and dots, 253 bytes at the most, "
        + "and the xn-- form of an internationalised name"
    case .overloaded:
      return "\(name): too many names wait to be resolved; use fewer names or longer TTLs"
    }
  }
}
