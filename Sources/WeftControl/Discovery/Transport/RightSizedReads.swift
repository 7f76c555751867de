import NIOCore

/// Passes on what was received in buffers of its own size. TLS reads into one of 32 KiB, and HTTP/2 keeps the last one
/// that it was given, so that TLS would have to make another: with thousands of connections that are idle most of the
/// time, these two were a third of a connection's memory.
///
/// Behind TLS in the pipeline.
final class RightSizedReads: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private var spare = SparePages()

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    var copy = context.channel.allocator.buffer(capacity: bytes.readableBytes)
    copy.writeImmutableBuffer(bytes)
    spare.release(bytes, isRead: true)
    context.fireChannelRead(wrapInboundOut(copy))
  }
}

/// Gives back what TLS keeps for writing and hardly ever fills.
///
/// Before TLS in the pipeline, next to the socket.
final class RightSizedWrites: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var spare = SparePages()

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    spare.release(unwrapOutboundIn(data))
    context.write(data, promise: promise)
  }
}
