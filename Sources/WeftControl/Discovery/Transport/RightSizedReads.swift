import NIOCore

/// Passes on what was received in buffers of its own size. TLS reads into one of 32 KiB, and HTTP/2 keeps the last one
/// that it was given, so that TLS would have to make another: with thousands of connections that are idle most of the
/// time, these two were a third of a connection's memory.
final class RightSizedReads: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    var copy = context.channel.allocator.buffer(capacity: bytes.readableBytes)
    copy.writeImmutableBuffer(bytes)
    context.fireChannelRead(wrapInboundOut(copy))
  }
}
