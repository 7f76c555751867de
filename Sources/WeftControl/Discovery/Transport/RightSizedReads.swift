import NIOCore

/// Passes on what was received in buffers of its own size. TLS reads into one of 32 KiB, and HTTP/2 keeps the last one
/// that it was given, so that TLS would have to make another: with thousands of connections that are idle most of the
/// time, these two were a third of a connection's memory.
///
/// Behind TLS in the pipeline.
final class RightSizedReads: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  /// Bytes that are passed on at a time: HTTP/2 keeps a buffer as large as the largest part that it had to put together.
  private static let part = 512

  private var spare = SparePages()

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    // Copied before anything is passed on: whoever gets the first part may cause the next read.
    var parts: [ByteBuffer] = []
    var rest = bytes.readableBytesView[...]
    while !rest.isEmpty {
      var part = context.channel.allocator.buffer(capacity: min(rest.count, Self.part))
      part.writeBytes(rest.prefix(Self.part))
      parts.append(part)
      rest = rest.dropFirst(Self.part)
    }
    spare.release(bytes)
    for part in parts { context.fireChannelRead(wrapInboundOut(part)) }
  }
}
