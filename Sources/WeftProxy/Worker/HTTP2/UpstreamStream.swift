import WeftHTTP
import WeftIO

/// What an `UpstreamConnection` has in addition when it is a stream of an HTTP/2 connection: it has no socket then, and
/// reads and writes through its session.
struct UpstreamStream: ~Copyable {
  /// What happened to a stream while libnghttp2 ran, to be dealt with afterwards.
  struct Notices: OptionSet {
    let rawValue: UInt8
    /// The response's final head is complete.
    static var head: Notices { Notices(rawValue: 1) }
    /// Bytes of the body have come, or its end.
    static var body: Notices { Notices(rawValue: 2) }
    /// What waited to be sent has been sent.
    static var drained: Notices { Notices(rawValue: 4) }
    /// The stream is no more.
    static var closed: Notices { Notices(rawValue: 8) }
  }

  /// This is a stream, and no connection.
  var isStream = false
  /// The stream's number; 0: its request has not been sent yet.
  var id: Int32 = 0
  var session: Unmanaged<UpstreamSession>?
  var notices: Notices = []
  /// Body bytes that have arrived, at most the stream's window.
  var received = ByteQueue()
  var fault: HTTP2HeadError?
  /// The final head of the response has come, so that what follows are trailers.
  var hasHead = false
  /// The request is an extended CONNECT: an answer of 2xx makes the stream a tunnel.
  var isConnect = false
  /// All of the request has been queued.
  var hasEnded = false
  /// libnghttp2 has asked for more and was told to wait.
  var isDeferred = false
  /// libnghttp2 knows it no more; the error with which it ended.
  var isClosed = false
  var error: UInt32 = 0
  // The session's other streams.
  var next: UpstreamRef?
  var previous: UpstreamRef?
}
