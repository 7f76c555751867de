import Glibc
import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTLS

/// What the app beside the proxy sends to services of the mesh, other than requests that are read: whole connections, to
/// the service that CONNECT, a TLS client's server name, or the address to which they were redirected from names.
extension Worker {
  // MARK: CONNECT

  /// Opens a tunnel to the service that the target names (RFC 9110 9.3.6). Elsewhere than on an outbound listener, a
  /// tunnel to wherever the client likes is refused.
  func beginConnect(_ x: ExchangeRef, _ c: ClientRef) {
    let s = x.pointee.state
    guard !c.pointee.isStream, let (snapshot, listener) = configuration(of: c),
      snapshot._withUnsafeGuaranteedRef({ $0.snapshot.listeners[listener].meshNamespace }) != nil
    else { return fail(x, .methodNotAllowed) }
    c.pointee.closeAfter = true
    guard s.pointee.request.framing == .none else { return fail(x, .malformedBody) }
    x.pointee.isOpaque = true
    openOutbound(x, snapshot, listener)
  }

  /// The tunnel stands: says so.
  /// - Returns: false when the client is gone, and with it the exchange.
  func confirmConnect(_ x: ExchangeRef, _ c: ClientRef) -> Bool {
    let s = x.pointee.state
    // The head must survive in the buffer's stead, for the log.
    s.pointee.request.headers.keepWire(length: s.pointee.request.wireLength)
    s.pointee.response.setStatus(200)
    let line = Bytes("HTTP/1.1 200 OK\r\n\r\n")
    return sendToClient(c, line.base, line.count)
  }

  // MARK: By the first bytes

  /// Looks at the first bytes of a connection without taking them: TLS goes by its server name, requests are read, and
  /// whatever else was redirected goes where it was meant to go.
  func sniffOutbound(_ c: ClientRef, _ l: ListenerRef) {
    let result = Socket.peek(c.pointee.fd, scratch, ClientHello.sizeLimit + 1024)
    if result.wouldBlock { return }
    if result.raw <= 0 { return closeClient(c) }
    let original = l.pointee.takesRedirected ? Socket.originalDestination(c.pointee.fd) : nil
    if let original { c.pointee.local = original }
    let first = scratch[0]
    if first == Self.helloRecord {
      switch ClientHello.parse(Bytes(BytePointer(scratch), result.raw)) {
      case .incomplete:
        if c.pointee.sawEOF { handshakeFailed(c, TLSFailure(.closed, "the peer closed the connection")) }
      case .malformed:
        guard let original else {
          return handshakeFailed(c, TLSFailure(.malformed, "the first bytes are no TLS client's"))
        }
        startOutbound(c, host: original.description)
      case .complete(let hello): startOutbound(c, serverName: hello.serverName, original)
      }
    } else if let original, first &- 0x41 >= 26 {
      // No method of HTTP begins so.
      startOutbound(c, host: original.description)
    } else {
      handshakes &-= 1
      c.pointee.phase = .idle
      c.pointee.readable = true
      setTimer(c, settings.requestHeaderTimeout)
      readRequests(c)
    }
  }

  private func startOutbound(_ c: ClientRef, serverName: String?, _ original: SocketAddress?) {
    if let serverName, original == nil || MeshHosts.service(serverName, from: "default") != nil {
      return startOutbound(c, host: serverName)
    }
    if let original { return startOutbound(c, host: original.description) }
    handshakeFailed(c, TLSFailure(.unknownServerName, "the client gave no server name"))
  }

  /// Sends the client's bytes to the service that `host` names.
  private func startOutbound(_ c: ClientRef, host: String) {
    handshakes &-= 1
    guard let (snapshot, listener) = configuration(of: c), let x = beginOpaque(c) else {
      c.pointee.phase = .idle
      return closeClient(c)
    }
    let s = x.pointee.state
    let name = OwnedBytes(host)
    let isKept = s.pointee.request.headers.add(Names.host, name.bytes)
    withExtendedLifetime(name) {}
    if !isKept { return fail(x, .noRoute) }
    openOutbound(x, snapshot, listener)
  }

  // MARK: Where to

  /// Finds the service by the request's host, now or when the control plane has said what it is.
  private func openOutbound(_ x: ExchangeRef, _ snapshot: SnapshotRef, _ listener: Int) {
    // Routes match paths, and this has none: it goes where a request for "/" would.
    guard x.pointee.state.pointee.request.setTarget(Bytes("/")) else { return fail(x, .requestHeadersTooLarge) }
    enter(snapshot)
    x.pointee.snapshot = snapshot
    x.pointee.listenerIndex = listener
    guard route(x, snapshot, listener) else { return routeNotFound(x, snapshot, listener) }
    connectOutbound(x)
  }

  /// The service is known. Its routes' filters are for requests, and see none of this.
  func connectOutbound(_ x: ExchangeRef) {
    guard x.pointee.service != nil else { return fail(x, .noSuchBackend) }
    forward(x)
  }
}
