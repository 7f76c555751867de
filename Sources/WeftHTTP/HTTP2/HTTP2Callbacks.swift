import CNghttp2
import WeftIO

/// libnghttp2's callbacks, translated into calls of an `HTTP2Session`. None of them can throw or be jumped over.
enum HTTP2Callbacks {
  /// One for the process: sessions copy it. Never freed, and never changed once made.
  nonisolated(unsafe) static let shared: OpaquePointer? = make()

  static var provider: nghttp2_data_provider {
    nghttp2_data_provider(source: nghttp2_data_source(), read_callback: read)
  }

  private static func make() -> OpaquePointer? {
    var made: OpaquePointer?
    guard nghttp2_session_callbacks_new(&made) == 0, let made else { return nil }
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, beginHeaders)
    nghttp2_session_callbacks_set_on_header_callback(made, header)
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame)
    nghttp2_session_callbacks_set_on_frame_send_callback(made, frameSent)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, dataChunk)
    nghttp2_session_callbacks_set_on_stream_close_callback(made, streamClose)
    nghttp2_session_callbacks_set_send_data_callback(made, sendData)
    return made
  }

  @inline(__always)
  private static func session(_ user: UnsafeMutableRawPointer?) -> Unmanaged<HTTP2Session>? {
    user?.assumingMemoryBound(to: Unmanaged<HTTP2Session>?.self).pointee
  }

  private static let failure = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
  /// Resets the stream and goes on with the connection.
  private static let streamFailure = NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue

  private static let beginHeaders: nghttp2_on_begin_headers_callback = { _, frame, user in
    guard let frame, let session = session(user) else { return failure }
    if UInt32(frame.pointee.hd.type) != NGHTTP2_HEADERS.rawValue { return 0 }
    let stream = frame.pointee.hd.stream_id
    return session._withUnsafeGuaranteedRef { s in
      let context = s.context(of: stream)
      let category = frame.pointee.headers.cat
      // A stream without a context has been given up: what still arrives for it is of no interest.
      if context == nil && category != NGHTTP2_HCAT_REQUEST { return streamFailure }
      if s.headBegan(stream, context, isFirst: category != NGHTTP2_HCAT_HEADERS) {
        s.builder.pointee.context = context ?? s.context(of: stream)
        return 0
      }
      s.reset(stream, .refusedStream)
      return streamFailure
    }
  }

  private static let header: nghttp2_on_header_callback = { _, frame, name, nameLength, value, valueLength, _, user in
    guard let frame, let session = session(user), let name, let value else { return failure }
    return session._withUnsafeGuaranteedRef { s in
      let stream = frame.pointee.hd.stream_id
      guard let context = s.builder.pointee.context ?? s.context(of: stream) else { return streamFailure }
      s.field(stream, context, Bytes(name, nameLength), Bytes(value, valueLength))
      return 0
    }
  }

  private static let frame: nghttp2_on_frame_recv_callback = { _, frame, user in
    guard let frame, let session = session(user) else { return failure }
    return session._withUnsafeGuaranteedRef { s in
      let head = frame.pointee.hd
      let ends = UInt32(head.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
      switch UInt32(head.type) {
      case NGHTTP2_HEADERS.rawValue:
        s.earn(8)
        if let context = s.context(of: head.stream_id) { s.headEnded(head.stream_id, context, endsStream: ends) }
      case NGHTTP2_DATA.rawValue:
        if ends {
          if let context = s.context(of: head.stream_id) { s.dataEnded(head.stream_id, context) }
        } else if head.length == 0 || head.length == frame.pointee.data.padlen {
          s.spend(on: .emptyData)
        }
      case NGHTTP2_PING.rawValue:
        if UInt32(head.flags) & NGHTTP2_FLAG_ACK.rawValue != 0 { s.pongReceived() } else { s.spend(on: .ping) }
      case NGHTTP2_RST_STREAM.rawValue: s.signals.resetsReceived &+= 1
      case NGHTTP2_GOAWAY.rawValue:
        s.signals.goAwaysReceived &+= 1
        s.goAwayReceived(last: frame.pointee.goaway.last_stream_id, frame.pointee.goaway.error_code)
      case NGHTTP2_SETTINGS.rawValue:
        s.spend(on: .settings)
        if UInt32(head.flags) & NGHTTP2_FLAG_ACK.rawValue == 0 { s.settingsReceived() }
      case NGHTTP2_PRIORITY.rawValue: s.spend(on: .priority)
      case NGHTTP2_WINDOW_UPDATE.rawValue: s.spend(on: .windowUpdate)
      default: break
      }
      return 0
    }
  }

  private static let frameSent: nghttp2_on_frame_send_callback = { _, frame, user in
    guard let frame, let session = session(user) else { return failure }
    switch UInt32(frame.pointee.hd.type) {
    case NGHTTP2_RST_STREAM.rawValue: session._withUnsafeGuaranteedRef { $0.signals.resetsSent &+= 1 }
    case NGHTTP2_GOAWAY.rawValue:
      session._withUnsafeGuaranteedRef { $0.goAwaySent(frame.pointee.goaway.error_code) }
    default: break
    }
    return 0
  }

  private static let dataChunk: nghttp2_on_data_chunk_recv_callback = { _, _, stream, bytes, count, user in
    guard let session = session(user), let bytes else { return failure }
    return session._withUnsafeGuaranteedRef { s in
      s.received(stream, count)
      if let context = s.context(of: stream) {
        s.data(stream, context, Bytes(bytes, count))
      } else {
        s.consumed(stream, count)
      }
      return 0
    }
  }

  private static let streamClose: nghttp2_on_stream_close_callback = { _, stream, error, user in
    guard let session = session(user) else { return failure }
    return session._withUnsafeGuaranteedRef { s in
      s.builder.pointee.context = nil
      if let context = s.context(of: stream) { s.closed(stream, context, error) }
      return 0
    }
  }

  private static let read: nghttp2_data_source_read_callback = { _, stream, _, limit, flags, _, user in
    guard let session = session(user), let flags else { return Int(failure) }
    return session._withUnsafeGuaranteedRef { s in
      guard let context = s.context(of: stream) else { return Int(streamFailure) }
      switch s.supply(stream, context, limit: limit) {
      case .later: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
      case .bytes(let n):
        if n == 0 { return Int(NGHTTP2_ERR_DEFERRED.rawValue) }
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
        return n
      case .last(let n, let hasTrailers):
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue | NGHTTP2_DATA_FLAG_EOF.rawValue
        if hasTrailers { flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue }
        return n
      }
    }
  }

  private static let sendData: nghttp2_send_data_callback = { _, frame, head, length, _, user in
    guard let session = session(user), let frame, let head else { return failure }
    return session._withUnsafeGuaranteedRef { s in
      let stream = frame.pointee.hd.stream_id
      guard let context = s.context(of: stream) else { return streamFailure }
      return s.writeData(stream, context, head, length)
    }
  }
}
