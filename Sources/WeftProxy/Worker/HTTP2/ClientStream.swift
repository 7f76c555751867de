import WeftHTTP
import WeftIO

/// What a `ClientConnection` has in addition when it is a stream of an HTTP/2 connection: it has no socket then, and
/// reads and writes through its session.
struct ClientStream: ~Copyable {
  /// What happened to a stream while libnghttp2 ran, to be dealt with afterwards.
  struct Notices: OptionSet {
    let rawValue: UInt8
    /// The request's head is complete.
    static var head: Notices { Notices(rawValue: 1) }
    /// Bytes of the body have come, or its end.
    static var body: Notices { Notices(rawValue: 2) }
    /// What waited to be sent has been sent.
    static var drained: Notices { Notices(rawValue: 4) }
    /// The response's last byte has been sent.
    static var sent: Notices { Notices(rawValue: 8) }
    static var trailersSent: Notices { Notices(rawValue: 16) }
    /// The stream is no more.
    static var closed: Notices { Notices(rawValue: 32) }
    /// More of a request has come than is swallowed behind its response.
    static var surplus: Notices { Notices(rawValue: 64) }
  }

  /// The stream's number; 0: this is a connection.
  var id: Int32 = 0
  var session: Unmanaged<ClientSession>?
  var notices: Notices = []
  /// Body bytes that have arrived, at most the stream's window.
  var received = ByteQueue()
  var fault: HTTP2HeadError?
  var trailersRefused = false
  /// The response has a body, which `supply` is asked for.
  var hasBody = false
  /// libnghttp2 has asked for more and was told to wait.
  var isDeferred = false
  /// The response has trailers, which go out behind its last byte.
  var trailersWait = false
  /// Of a tunnel: nothing more is sent, and the stream ends behind what is queued.
  var hasEnded = false
  /// The response has been sent, and what is left of the request is swallowed.
  var lingers = false
  /// libnghttp2 knows it no more; the error with which it ended.
  var isClosed = false
  var error: UInt32 = 0
  // The session's other streams.
  var next: ClientRef?
  var previous: ClientRef?
  /// Of a tunnel over a connection of its own: bytes on their way to it that are spliced.
  var pipe: SplicePipe?
}
