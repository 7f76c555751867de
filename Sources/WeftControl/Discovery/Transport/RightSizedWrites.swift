import NIOCore

/// Writes copies of what TLS has encrypted, so that the buffer that TLS keeps for it, and hardly ever fills, can give its
/// pages back at once.
///
/// Before TLS in the pipeline, next to the socket.
final class RightSizedWrites: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var spare = SparePages()

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let bytes = unwrapOutboundIn(data)
    var copy = context.channel.allocator.buffer(capacity: bytes.readableBytes)
    copy.writeImmutableBuffer(bytes)
    spare.release(bytes)
    context.write(wrapOutboundOut(copy), promise: promise)
  }
}
