import WeftIO

/// All that an access log may say of one finished exchange.
///
/// The proxy fills one at the end of an exchange and lends it to the log; the bytes are borrowed from the exchange's
/// buffers and the configuration, and are not kept. What is not known stays as it is: empty bytes print as `-` (in JSON
/// as null), and so do times below 0.
public struct AccessRecord: ~Copyable {
  // MARK: When

  /// Start of the exchange: the request's first byte, in nanoseconds since the Unix epoch.
  public var startTime: UInt64
  /// From the start to the end of the exchange, however it ended, in nanoseconds.
  public var duration: Int64
  public var timing = ExchangeTiming()

  // MARK: Request

  public var method = Bytes()
  /// The request's target as the client sent it.
  public var path = Bytes()
  /// The target as it was sent upstream, when a route or filter changed it; else empty.
  public var rewrittenPath = Bytes()
  public var scheme = Bytes()
  public var authority = Bytes()
  public var httpVersion = AccessHTTPVersion.unknown
  /// Body bytes received from the client.
  public var bytesReceived: UInt64 = 0
  public var requestHeaderBytes: UInt64 = 0
  // These four may be left empty: then they are looked up among the request's headers when the format wants them.
  public var userAgent = Bytes()
  public var referer = Bytes()
  public var forwardedFor = Bytes()
  public var requestID = Bytes()

  // MARK: Response

  /// Status code, or 0 when no response was begun.
  public var status: UInt16 = 0
  public var flags: ResponseFlags = []
  /// Who decided the status, and why: `via_upstream`, or a reason in snake_case.
  public var responseCodeDetails = Bytes()
  /// Why the proxy closed the client's connection, when it did.
  public var connectionTerminationDetails = Bytes()
  /// Body bytes sent to the client.
  public var bytesSent: UInt64 = 0
  public var responseHeaderBytes: UInt64 = 0

  // MARK: Upstream

  public var upstreamService = Bytes()
  /// Address and port of the endpoint that was tried last.
  public var upstreamHost = Bytes()
  public var upstreamLocalAddress = Bytes()
  public var upstreamHTTPVersion = AccessHTTPVersion.unknown
  /// Why the last connection attempt failed.
  public var upstreamFailureReason = Bytes()
  /// Times that the request was sent, or tried to be, upstream.
  public var attempts: UInt32 = 0

  // MARK: Where

  public var listener = Bytes()
  public var route = Bytes()
  /// Names of the filters that ran on the request, in order, joined by commas.
  public var filters = Bytes()
  /// The client's address and port, as trusted headers give it.
  public var downstreamRemoteAddress = Bytes()
  /// The connection's peer; empty when it is the same.
  public var downstreamDirectRemoteAddress = Bytes()
  public var downstreamLocalAddress = Bytes()
  public var requestedServerName = Bytes()
  // Of the client's TLS connection, and of the certificate that it showed, valid or not.
  public var tlsVersion = Bytes()
  public var tlsCipher = Bytes()
  public var peerSubject = Bytes()
  /// Joined by commas.
  public var peerURIs = Bytes()
  public var peerDNSNames = Bytes()
  /// SHA-256, in hexadecimal.
  public var peerDigest = Bytes()
  public var peerSerial = Bytes()
  /// `allowed` or `denied`, where policies had something to say.
  public var authorizationDecision = Bytes()
  /// The policy that decided.
  public var authorizationPolicy = Bytes()
  /// The first AUDIT policy that matched.
  public var authorizationAudit = Bytes()
  public var connectionID: UInt64 = 0
  public var traceID = Bytes()
  public var spanID = Bytes()

  /// - Parameters:
  ///   - startTime: nanoseconds since the Unix epoch.
  ///   - duration: nanoseconds.
  public init(startTime: UInt64, duration: Int64) {
    self.startTime = startTime
    self.duration = duration
  }
}

/// When the stations of an exchange were reached: nanoseconds since its start, below 0 for those that were not.
public struct ExchangeTiming: Sendable {
  /// The request's last byte was received.
  public var requestEnd: Int64 = -1
  /// A connection to the endpoint was begun and established; unset when one from the pool was used.
  public var connectBegin: Int64 = -1
  public var connectEnd: Int64 = -1
  /// The request's first and last byte were sent upstream.
  public var upstreamRequestBegin: Int64 = -1
  public var upstreamRequestEnd: Int64 = -1
  /// The response's first and last byte were received from the service.
  public var upstreamResponseBegin: Int64 = -1
  public var upstreamResponseEnd: Int64 = -1
  /// The response's first and last byte were sent to the client.
  public var responseBegin: Int64 = -1
  public var responseEnd: Int64 = -1

  public init() {}

  /// What the service took to begin its answer, or below 0.
  public var upstreamServiceTime: Int64 {
    if upstreamResponseBegin < 0 || upstreamRequestBegin < 0 { return -1 }
    // A service may answer before it has the whole request.
    let sent =
      upstreamRequestEnd < 0 || upstreamRequestEnd > upstreamResponseBegin ? upstreamRequestBegin : upstreamRequestEnd
    return upstreamResponseBegin &- sent
  }
}

/// The HTTP version of one side of an exchange.
public enum AccessHTTPVersion: UInt8, Sendable {
  case unknown, http10, http11, http2, http3

  var text: Bytes {
    switch self {
    case .unknown: Bytes()
    case .http10: Bytes("HTTP/1.0")
    case .http11: Bytes("HTTP/1.1")
    case .http2: Bytes("HTTP/2")
    case .http3: Bytes("HTTP/3")
    }
  }
}

/// Looks up what a format names and a record does not hold. A small struct around a pointer to the exchange will do.
///
/// Names come in lower case. The first field of a name is the one to give; nil when there is none.
public protocol AccessFields {
  func requestHeader(_ name: Bytes) -> Bytes?
  func responseHeader(_ name: Bytes) -> Bytes?
  func responseTrailer(_ name: Bytes) -> Bytes?
}

/// An exchange without headers: one that ended before its request was read.
public struct NoAccessFields: AccessFields {
  public init() {}
  public func requestHeader(_ name: Bytes) -> Bytes? { nil }
  public func responseHeader(_ name: Bytes) -> Bytes? { nil }
  public func responseTrailer(_ name: Bytes) -> Bytes? { nil }
}
