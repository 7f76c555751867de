import NIOCore

/// Drops frames RST_STREAM with NO_ERROR, and PINGs that estimate bandwidth, before HTTP/2 sees them.
///
/// etcd's server sends one behind the answer to a call when it was so quick that the client's end of the stream had not
/// arrived (RFC 9113 8.1): the answer is complete, and the frame says nothing that is not known. NIO's HTTP/2 counts them,
/// and takes 200 in ten seconds for an attack: it would close the connection, with all watches, at twenty calls a second.
/// The same goes for 200 PINGs in half a minute, of which etcd sends one with nearly each call to know how large a window
/// to give; without an answer it keeps the one that it has, and sends no other. PINGs that look for life pass.
final class ResetFilter: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private static let header = 9
  /// A header, and a code of an error.
  private static let reset = 13
  /// What gRPC's server in Go puts into the PING by which it estimates a connection's bandwidth: one a call.
  private static let estimate: [UInt8] = [2, 4, 16, 16, 9, 14, 7, 7]

  /// Bytes of the present frame that are still to come.
  private var rest = 0
  /// The beginning of a frame, not enough to know what it is.
  private var held: ByteBuffer?

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var input = unwrapInboundIn(data)
    if var whole = held {
      whole.writeBuffer(&input)
      input = whole
      held = nil
    }
    while input.readableBytes > 0 {
      // As many whole frames, and parts of them, as can go on together.
      var count = 0
      var dropped = 0
      while count < input.readableBytes {
        if rest > 0 {
          let part = min(rest, input.readableBytes - count)
          rest -= part
          count += part
          continue
        }
        guard let length = length(input, at: count) else { break }
        if length == Self.reset - Self.header, type(input, at: count) == 3 {
          guard let code = input.getInteger(at: input.readerIndex + count + Self.header, as: UInt32.self) else { break }
          if code == 0 {
            dropped = Self.reset
            break
          }
        }
        if length == Self.estimate.count, type(input, at: count) == 6 {
          let place = input.readerIndex + count + Self.header
          guard let data = input.getBytes(at: place, length: length) else { break }
          if data == Self.estimate {
            dropped = Self.header + length
            break
          }
        }
        rest = Self.header + length
      }
      if count > 0, let part = input.readSlice(length: count) { context.fireChannelRead(wrapInboundOut(part)) }
      if dropped > 0 {
        input.moveReaderIndex(forwardBy: dropped)
      } else if input.readableBytes > 0 {
        held = input.slice()
        return
      }
    }
  }

  /// Bytes of a frame behind its header; nil: the header is not whole.
  private func length(_ input: ByteBuffer, at offset: Int) -> Int? {
    guard input.readableBytes - offset >= Self.header,
      let value = input.getInteger(at: input.readerIndex + offset, as: UInt32.self)
    else { return nil }
    return Int(value >> 8)
  }

  private func type(_ input: ByteBuffer, at offset: Int) -> UInt8? {
    input.getInteger(at: input.readerIndex + offset + 3)
  }
}
