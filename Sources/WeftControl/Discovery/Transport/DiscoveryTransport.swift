import GRPCNIOTransportHTTP2
import NIOCore
import NIOSSL
import Synchronization

/// The gRPC server's way to the network.
enum DiscoveryTransport {
  /// Connections at a time; more are closed at once.
  static let mostConnections = 24_000

  /// - Parameter descriptor: a listening socket, which the transport takes over.
  static func make(_ descriptor: Int32, _ tls: ServerTLS) -> HTTP2ServerTransport.Posix {
    var config = HTTP2ServerTransport.Posix.Config.defaults
    config.rpc.maxRequestPayloadSize = 4 << 20
    config.http2.maxConcurrentStreams = 32
    // A proxy whose machine vanished is noticed within half a minute.
    config.connection.keepalive = .init(
      time: .seconds(20), timeout: .seconds(10),
      clientBehavior: .init(minPingIntervalWithoutCalls: .seconds(5), allowWithoutCalls: true))
    // Whoever connects and calls nothing.
    config.connection.maxIdleTime = .seconds(60)
    let count = ConnectionCount()
    // The transport's own TLS cannot ask for a client certificate without requiring it, so TLS is put in here, before
    // everything else in the connection's pipeline.
    config.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
      guard count.add() <= mostConnections else {
        count.remove()
        return channel.close()
      }
      channel.closeFuture.whenComplete { _ in count.remove() }
      return channel.eventLoop.makeCompletedFuture {
        // First in the pipeline: the socket, TLS, right-sized buffers, and then what the transport has put there.
        try channel.pipeline.syncOperations.addHandlers(
          [RightSizedWrites(), tls.handler(), RightSizedReads()], position: .first)
        // A buffer that a connection grew while it was busy stays with it: messages of proxies are small.
        try channel.syncOptions?.setOption(
          .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 1_024))
      }
    }
    config.channelDebuggingCallbacks.onAcceptHTTP2Stream = { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(LastWrite(), position: .first)
      }
    }
    return HTTP2ServerTransport.Posix(
      listeningSocketDescriptor: Int(descriptor), transportSecurity: .plaintext, config: config)
  }

  private final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)

    func add() -> Int { count.add(1, ordering: .relaxed).newValue }
    func remove() { count.subtract(1, ordering: .relaxed) }
  }
}
