import WeftIO

/// What went wrong with an exchange, or was done to it. Names are Envoy's where Envoy has one, so that existing alerts and
/// dashboards go on working.
public struct ResponseFlags: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  private init(_ bit: UInt32) { rawValue = 1 << bit }

  public static let failedLocalHealthCheck = ResponseFlags(0)
  public static let noHealthyUpstream = ResponseFlags(1)
  public static let upstreamRequestTimeout = ResponseFlags(2)
  public static let localReset = ResponseFlags(3)
  public static let upstreamRemoteReset = ResponseFlags(4)
  public static let upstreamConnectionFailure = ResponseFlags(5)
  public static let upstreamConnectionTermination = ResponseFlags(6)
  public static let upstreamOverflow = ResponseFlags(7)
  public static let noRouteFound = ResponseFlags(8)
  public static let delayInjected = ResponseFlags(9)
  public static let faultInjected = ResponseFlags(10)
  public static let rateLimited = ResponseFlags(11)
  public static let unauthorizedExternalService = ResponseFlags(12)
  public static let rateLimitServiceError = ResponseFlags(13)
  public static let downstreamConnectionTermination = ResponseFlags(14)
  public static let upstreamRetryLimitExceeded = ResponseFlags(15)
  public static let streamIdleTimeout = ResponseFlags(16)
  public static let invalidRequestHeaders = ResponseFlags(17)
  public static let downstreamProtocolError = ResponseFlags(18)
  public static let upstreamMaxStreamDurationReached = ResponseFlags(19)
  public static let responseFromCacheFilter = ResponseFlags(20)
  public static let noFilterConfigFound = ResponseFlags(21)
  public static let durationTimeout = ResponseFlags(22)
  public static let upstreamProtocolError = ResponseFlags(23)
  public static let noServiceFound = ResponseFlags(24)
  public static let overloadManager = ResponseFlags(25)
  public static let dnsFailure = ResponseFlags(26)
  public static let dropOverload = ResponseFlags(27)
  public static let filterError = ResponseFlags(28)

  /// A flag's names and meaning, as docs/access-logs.md lists them.
  public struct Name: Sendable {
    /// What `%RESPONSE_FLAGS%` prints.
    public let short: StaticString
    /// What `%RESPONSE_FLAGS_LONG%` prints.
    public let long: StaticString
    public let meaning: StaticString
  }

  /// By bit.
  public static let names: [Name] = [
    Name(short: "LH", long: "FailedLocalHealthCheck", meaning: "The local service failed its health check (503)."),
    Name(short: "UH", long: "NoHealthyUpstream", meaning: "The service has no endpoint that may be used (503)."),
    Name(short: "UT", long: "UpstreamRequestTimeout", meaning: "The service did not answer in time (504)."),
    Name(short: "LR", long: "LocalReset", meaning: "The proxy broke off the upstream connection (503)."),
    Name(short: "UR", long: "UpstreamRemoteReset", meaning: "The service reset the exchange (503)."),
    Name(short: "UF", long: "UpstreamConnectionFailure", meaning: "No connection to an endpoint could be made (503)."),
    Name(
      short: "UC", long: "UpstreamConnectionTermination",
      meaning: "The service closed the connection before its response was whole (503)."),
    Name(short: "UO", long: "UpstreamOverflow", meaning: "A limit of the service's pool refused the request (503)."),
    Name(short: "NR", long: "NoRouteFound", meaning: "No route matched (404)."),
    Name(short: "DI", long: "DelayInjected", meaning: "A fault filter delayed the request."),
    Name(short: "FI", long: "FaultInjected", meaning: "A fault filter answered in the service's place."),
    Name(short: "RL", long: "RateLimited", meaning: "A rate limit refused the request (429)."),
    Name(short: "UAEX", long: "UnauthorizedExternalService", meaning: "An authorization check refused the request."),
    Name(short: "RLSE", long: "RateLimitServiceError", meaning: "The rate limit could not be asked."),
    Name(
      short: "DC", long: "DownstreamConnectionTermination",
      meaning: "The client closed the connection before the response was whole."),
    Name(short: "URX", long: "UpstreamRetryLimitExceeded", meaning: "All attempts failed, and no retry was left."),
    Name(short: "SI", long: "StreamIdleTimeout", meaning: "The exchange stood still for too long (408 or 504)."),
    Name(
      short: "IH", long: "InvalidRequestHeaders",
      meaning: "A request header that is checked strictly was invalid (400)."),
    Name(short: "DPE", long: "DownstreamProtocolError", meaning: "The request broke the protocol (400)."),
    Name(
      short: "UMSDR", long: "UpstreamMaxStreamDurationReached", meaning: "The exchange exceeded its longest duration."),
    Name(short: "RFCF", long: "ResponseFromCacheFilter", meaning: "A cache filter answered."),
    Name(short: "NFCF", long: "NoFilterConfigFound", meaning: "A filter's configuration had not arrived (500)."),
    Name(short: "DT", long: "DurationTimeout", meaning: "The request or its connection exceeded its longest duration."),
    Name(short: "UPE", long: "UpstreamProtocolError", meaning: "The response broke the protocol (502)."),
    Name(short: "NC", long: "NoServiceFound", meaning: "The route names a service that does not exist (500 or 503)."),
    Name(short: "OM", long: "OverloadManager", meaning: "The proxy shed the request because it was overloaded."),
    Name(short: "DF", long: "DnsFailure", meaning: "The service's name could not be resolved (503)."),
    Name(short: "DO", long: "DropOverload", meaning: "The configured share of requests to drop was dropped (503)."),
    Name(short: "FE", long: "FilterError", meaning: "A filter failed and its policy denied the request (500)."),
  ]

  /// The flags whose short name is `text`, or nil; for filters and tests that name them.
  public init?(short text: String) {
    guard let bit = ResponseFlags.names.firstIndex(where: { "\($0.short)" == text }) else { return nil }
    self.init(UInt32(bit))
  }

  /// Appends the names, joined by commas, or `-`.
  package func append(to out: inout ByteWriter, long: Bool) {
    if rawValue == 0 {
      out.append(byte: 0x2d)
      return
    }
    var bits = rawValue
    var first = true
    while bits != 0 {
      let bit = bits.trailingZeroBitCount
      bits &= bits &- 1
      guard bit < ResponseFlags.names.count else { return }
      if !first { out.append(byte: 0x2c) }
      first = false
      let name = ResponseFlags.names[bit]
      out.append(long ? name.long : name.short)
    }
  }
}
