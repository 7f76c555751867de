import WeftConfig
import WeftIO

/// What the connections of a port begin with, and whose word about it is believed.
final class ProxyProtocolSpec: Sendable {
  /// Every connection begins with a header; otherwise one may.
  let isRequired: Bool
  private let networks: [CIDR]
  private let trustsUnixSockets: Bool

  init(_ settings: ListenerProxyProtocol) {
    isRequired = settings.mode == .require
    networks = settings.sources.compactMap { CIDR($0) }
    trustsUnixSockets = settings.trustsUnixSockets
  }

  /// Whether a header from `peer` is believed. A peer without an address has come through a Unix socket.
  func trusts(_ peer: SocketAddress) -> Bool {
    guard let ip = peer.ip else { return trustsUnixSockets }
    return networks.contains { $0.contains(ip) }
  }
}
