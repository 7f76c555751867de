import CNghttp2

/// The bounds that libnghttp2 itself keeps. Owns the C object, which a session copies.
struct HTTP2Options: ~Copyable {
  let pointer: OpaquePointer

  /// nil: no memory.
  init?(_ settings: HTTP2Settings, _ role: HTTP2Session.Role) {
    var made: OpaquePointer?
    guard nghttp2_option_new(&made) == 0, let made else { return nil }
    pointer = made
    // The window of a stream moves when its bytes have been dealt with, and no sooner.
    nghttp2_option_set_no_auto_window_update(made, 1)
    nghttp2_option_set_no_closed_streams(made, 1)
    nghttp2_option_set_max_settings(made, 32)
    nghttp2_option_set_max_outbound_ack(made, 256)
    nghttp2_option_set_max_continuations(made, settings.maxContinuations)
    nghttp2_option_set_max_send_header_block_length(made, 256 * 1024)
    // The peer's compression context is what it grants; ours need not be as large as a peer wishes.
    nghttp2_option_set_max_deflate_dynamic_table_size(made, 4096)
    if role == .server {
      nghttp2_option_set_stream_reset_rate_limit(made, settings.resetBurst, settings.resetRate)
    } else {
      nghttp2_option_set_max_reserved_remote_streams(made, 0)
      // Until its SETTINGS arrive a server is taken to allow this many (RFC 9113 6.5.2 recommends no fewer).
      nghttp2_option_set_peer_max_concurrent_streams(made, 100)
    }
  }

  deinit { nghttp2_option_del(pointer) }
}
