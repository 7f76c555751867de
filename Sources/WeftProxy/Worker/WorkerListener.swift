import WeftIO
import WeftTLS

typealias ListenerRef = UnsafeMutablePointer<WorkerListener>

/// A listening socket of one worker. Connections point at it; it is freed when it is closed and the last of them gone.
struct WorkerListener: ~Copyable {
  let slot: Int
  let address: SocketAddress
  /// `address` is one address and port, and therefore what its connections have at this end.
  let isExact: Bool
  var fd: Int32
  var name: OwnedBytes
  /// Index in the present snapshot's listeners; -1: removed, its connections are being drained.
  var index: Int
  /// The last configuration that it stood in, and its index there, once it is removed: requests that were on their way
  /// to it are still answered as they would have been.
  var last: (snapshot: SnapshotRef, index: Int)?
  var connections = 0
  /// Certificates for new connections; nil: they are plain.
  var tls: TLSServerNames?
  /// New connections may be plain as well.
  var acceptsPlain = false
  /// Takes connections of the workload beside the proxy, of which the first bytes say what they are.
  var isOutbound = false
  /// Connections may have been meant for another address.
  var takesRedirected = false
  /// What connections begin with; nil: with their own first byte.
  var proxyProtocol: ProxyProtocolSpec?
  /// Ends the time that its connections have once it is removed.
  var timer = TimerNode()
  var metrics: ListenerMetrics

  init(slot: Int, address: SocketAddress, fd: Int32, name: OwnedBytes, index: Int, metrics: ListenerMetrics) {
    self.slot = slot
    self.address = address
    isExact = address.port != 0 && address.ip.map { !$0.isUnspecified } ?? false
    self.fd = fd
    self.name = name
    self.index = index
    self.metrics = metrics
  }
}
