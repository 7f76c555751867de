import WeftHTTP
import WeftIO

/// What policies can ask about one request, or about one connection of a TCP or TLS route. Borrowed from the exchange.
struct AuthorizationInput: ~Copyable {
  /// The request's head, its path normalised; nil for a connection.
  let request: UnsafePointer<MessageHead>?
  // Of the verified peer; empty without one.
  var principal = Bytes()
  var namespace = Bytes()
  var serviceAccount = Bytes()
  var serverName = Bytes()
  /// The other end of the connection; unknown for a Unix socket.
  var source = SocketAddress()
  /// The client, as trusted proxies give it.
  var remote = SocketAddress()
  var destination = SocketAddress()
  var isTLS = false
  /// That the request carries; nil without one.
  var token: VerifiedToken?

  /// Memory for a path's other spelling.
  private let scratch: MutableBytePointer
  private let scratchSize: Int
  private var otherPath = Bytes()
  private var hasLookedAtPath = false

  /// - Parameter scratch: memory that the request does not lie in, for as long as the input lives.
  init(request: UnsafePointer<MessageHead>?, scratch: MutableBytePointer, _ scratchSize: Int) {
    self.request = request
    self.scratch = scratch
    self.scratchSize = scratchSize
  }

  /// The path as a server that decodes everything would read it; empty when that is no other path.
  mutating func plainPath(_ path: Bytes) -> Bytes {
    if hasLookedAtPath { return otherPath }
    hasLookedAtPath = true
    var w = ByteWriter(scratch, scratchSize)
    if PlainPath.write(path, into: &w), !(w.bytes == path) { otherPath = w.bytes }
    return otherPath
  }

  /// The port that the request's host names, or that its scheme stands for.
  func hostPort(_ field: Bytes) -> Int32 {
    var n = field.count
    while n > 0 && field[n &- 1] &- 0x30 < 10 { n &-= 1 }
    if n > 0, field[n &- 1] == 0x3a, let port = field.slice(n, field.count).decimal { return Int32(clamping: port) }
    return isTLS ? 443 : 80
  }
}
