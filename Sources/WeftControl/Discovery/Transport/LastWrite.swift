import NIOCore

/// Holds the last message that a call has sent. gRPC puts each message into the same buffer, which thereby stays as large
/// as the largest one; while somebody else holds it, it takes a new one, as large as the message is. The first messages of
/// a stream are large, those that follow are small.
///
/// First in a call's pipeline.
final class LastWrite: ChannelOutboundHandler {
  typealias OutboundIn = Never

  private var last: NIOAny?

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    last = data
    context.write(data, promise: promise)
  }

  func handlerRemoved(context: ChannelHandlerContext) { last = nil }
}
