/// What a command operator of a format prints.
enum AccessLogOperator: UInt8, Sendable {
  // With an argument.
  case literal, time, emitTime, requestHeader, responseHeader, responseTrailer, path, queryParameter
  // Numbers.
  case responseCode, commonDuration, bytesReceived, bytesSent, requestHeaderBytes, responseHeaderBytes, attempts,
    connectionID
  case duration, requestDuration, requestSentDuration, responseDuration, responseSentDuration, roundTripDuration
  case upstreamServiceTime
  case downstreamRemotePort, downstreamDirectRemotePort, downstreamLocalPort, upstreamRemotePort, upstreamLocalPort
  // Bytes.
  case httpVersion, upstreamHTTPVersion, responseFlags, responseFlagsLong, responseCodeDetails
  case connectionTerminationDetails, upstreamFailureReason, route, listener, filters
  case upstreamService, upstreamHost, upstreamHostOnly, upstreamLocalAddress, upstreamLocalHost
  case downstreamRemoteAddress, downstreamRemoteHost, downstreamDirectRemoteAddress, downstreamDirectRemoteHost
  case downstreamLocalAddress, downstreamLocalHost, requestedServerName, tlsVersion, tlsCipher
  case authorizationDecision, authorizationPolicy, authorizationAudit
  case peerSubject, peerURIs, peerDNSNames, peerDigest, peerSerial, requestID, traceID, spanID
  // Pseudo-headers and headers that the record holds.
  case method, currentPath, originalPath, authority, scheme, userAgent, referer, forwardedFor

  /// Gives a number: those stand together above.
  var isNumber: Bool {
    rawValue >= AccessLogOperator.responseCode.rawValue && rawValue <= AccessLogOperator.upstreamLocalPort.rawValue
  }

  /// Operators without an argument, by name.
  static let plain: [(name: String, operator: AccessLogOperator)] = [
    ("START_TIME", .time), ("EMIT_TIME", .emitTime), ("PROTOCOL", .httpVersion),
    ("UPSTREAM_PROTOCOL", .upstreamHTTPVersion), ("RESPONSE_CODE", .responseCode),
    ("RESPONSE_CODE_DETAILS", .responseCodeDetails),
    ("CONNECTION_TERMINATION_DETAILS", .connectionTerminationDetails), ("RESPONSE_FLAGS", .responseFlags),
    ("RESPONSE_FLAGS_LONG", .responseFlagsLong), ("BYTES_RECEIVED", .bytesReceived), ("BYTES_SENT", .bytesSent),
    ("REQUEST_HEADERS_BYTES", .requestHeaderBytes), ("RESPONSE_HEADERS_BYTES", .responseHeaderBytes),
    ("DURATION", .duration), ("REQUEST_DURATION", .requestDuration), ("REQUEST_TX_DURATION", .requestSentDuration),
    ("RESPONSE_DURATION", .responseDuration), ("RESPONSE_TX_DURATION", .responseSentDuration),
    ("UPSTREAM_SERVICE_TIME", .upstreamServiceTime), ("UPSTREAM_REQUEST_ATTEMPT_COUNT", .attempts),
    ("UPSTREAM_TRANSPORT_FAILURE_REASON", .upstreamFailureReason), ("UPSTREAM_CLUSTER", .upstreamService),
    ("UPSTREAM_CLUSTER_RAW", .upstreamService), ("UPSTREAM_SERVICE", .upstreamService),
    ("UPSTREAM_HOST", .upstreamHost), ("UPSTREAM_REMOTE_ADDRESS", .upstreamHost),
    ("UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", .upstreamHostOnly), ("UPSTREAM_REMOTE_PORT", .upstreamRemotePort),
    ("UPSTREAM_LOCAL_ADDRESS", .upstreamLocalAddress), ("UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", .upstreamLocalHost),
    ("UPSTREAM_LOCAL_PORT", .upstreamLocalPort), ("DOWNSTREAM_REMOTE_ADDRESS", .downstreamRemoteAddress),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", .downstreamRemoteHost),
    ("DOWNSTREAM_REMOTE_PORT", .downstreamRemotePort),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", .downstreamDirectRemoteAddress),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", .downstreamDirectRemoteHost),
    ("DOWNSTREAM_DIRECT_REMOTE_PORT", .downstreamDirectRemotePort),
    ("DOWNSTREAM_LOCAL_ADDRESS", .downstreamLocalAddress),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", .downstreamLocalHost), ("DOWNSTREAM_LOCAL_PORT", .downstreamLocalPort),
    ("REQUESTED_SERVER_NAME", .requestedServerName), ("DOWNSTREAM_TLS_VERSION", .tlsVersion),
    ("DOWNSTREAM_TLS_CIPHER", .tlsCipher), ("DOWNSTREAM_PEER_SUBJECT", .peerSubject),
    ("DOWNSTREAM_PEER_URI_SAN", .peerURIs), ("DOWNSTREAM_PEER_DNS_SAN", .peerDNSNames),
    ("DOWNSTREAM_PEER_FINGERPRINT_256", .peerDigest), ("DOWNSTREAM_PEER_SERIAL", .peerSerial),
    ("AUTHORIZATION_DECISION", .authorizationDecision), ("AUTHORIZATION_POLICY", .authorizationPolicy),
    ("AUTHORIZATION_AUDIT", .authorizationAudit), ("CONNECTION_ID", .connectionID), ("ROUTE_NAME", .route),
    ("LISTENER", .listener), ("FILTERS", .filters), ("REQUEST_ID", .requestID), ("TRACE_ID", .traceID),
    ("SPAN_ID", .spanID), ("HOSTNAME", .literal), ("PATH", .path),
  ]

  /// Operators that need an argument.
  static let withArgument = [
    "REQ", "REQUEST_HEADER", "RESP", "RESPONSE_HEADER", "TRAILER", "RESPONSE_TRAILER", "QUERY_PARAM",
    "COMMON_DURATION", "ENVIRONMENT",
  ]

  /// Every name that a format may use, for error messages and docs/access-logs.md.
  static var names: [String] { plain.map(\.name) + withArgument }

  /// The field of the record that a request header stands in.
  static func requestField(_ header: String) -> AccessLogOperator? {
    switch header {
    case ":method": .method
    case ":path": .currentPath
    case ":authority", "host": .authority
    case ":scheme": .scheme
    case "x-envoy-original-path": .originalPath
    case "user-agent": .userAgent
    case "referer": .referer
    case "x-forwarded-for": .forwardedFor
    case "x-request-id": .requestID
    default: nil
    }
  }

  /// A station of an exchange that `COMMON_DURATION` names.
  enum TimePoint: String, CaseIterable, Sendable {
    case requestBegin = "DS_RX_BEG"
    case requestEnd = "DS_RX_END"
    case connectBegin = "US_CX_BEG"
    case connectEnd = "US_CX_END"
    case upstreamRequestBegin = "US_TX_BEG"
    case upstreamRequestEnd = "US_TX_END"
    case upstreamResponseBegin = "US_RX_BEG"
    case upstreamResponseEnd = "US_RX_END"
    case responseBegin = "DS_TX_BEG"
    case responseEnd = "DS_TX_END"
  }

  /// `COMMON_DURATION`'s units, and nanoseconds in each.
  static let precisions: [(name: String, nanoseconds: Int64)] = [("ms", 1_000_000), ("us", 1000), ("ns", 1)]
}
