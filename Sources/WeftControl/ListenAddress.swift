import Foundation
import WeftIdentity

/// Where a server of the control plane listens: `127.0.0.1:15080`, `[::1]:15080`, `:15080` (every address).
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// Without brackets; `0.0.0.0` for every address.
  public let host: String
  public let port: Int

  /// nil when `text` is none. Names are not looked up: what a server listens on shall not depend on DNS.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("[") && host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    if host.isEmpty { host = "0.0.0.0" }
    if host == "localhost" { host = "127.0.0.1" }
    guard Self.isAddress(host) else { return nil }
    self.host = host
    self.port = Int(port)
  }

  private init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  public func with(port: Int) -> ListenAddress { ListenAddress(host: host, port: port) }

  private static func isAddress(_ text: String) -> Bool {
    var bytes = in6_addr()
    return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
  }

  /// A definite address and port: one that others can connect to.
  var isIP: Bool { port > 0 && !isEverywhere }

  public var isEverywhere: Bool { host == "0.0.0.0" || host == "::" }

  /// Only this machine reaches it.
  public var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }

  /// Whoever reaches an API without credentials can change everything, so only this machine may.
  /// - Throws: `IdentityError` that says what to do, unless it is the loopback or both are there.
  public func check(hasTLS: Bool, hasCredentials: Bool) throws(IdentityError) {
    if isLoopback || (hasTLS && hasCredentials) { return }
    let missing = [hasTLS ? nil : "TLS", hasCredentials ? nil : "credentials"].compactMap { $0 }
    throw IdentityError(
      "\(self) is reachable from other machines, and there is no \(missing.joined(separator: " and no ")): listen on 127.0.0.1, or configure them"
    )
  }
}
