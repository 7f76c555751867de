import WeftTelemetry

/// Everything that can go wrong with an exchange, and the one table that says what it becomes: status, response flag,
/// detail and the sentence that the client reads.
enum Failure: UInt8 {
  case noRoute
  case meshServiceUnknown
  case meshServiceTimeout
  case routingFailed
  case noSuchBackend
  case noHealthyUpstream
  case connectFailure
  case connectTimeout
  case upstreamTLSFailure
  case misdirected
  case upstreamReset
  case upstreamProtocolError
  case responseHeaderTimeout
  case perTryTimeout
  case upstreamIdleTimeout
  case requestTimeout
  case overflow
  case requestLimit
  case retryLimit
  case requestBodyTooLarge
  case responseBodyTooLarge
  case requestHeadersTooLarge
  case responseHeadersTooLarge
  case requestBodyTimeout
  case requestHeaderTimeout
  case malformedBody
  case methodNotAllowed
  case badPath
  case filterFailed
  case overloaded
  case upgradeUnsupported
  case upgradeRefused
  case unauthorized
  case unauthenticated

  var status: Int {
    switch self {
    case .noRoute: 404
    case .unauthorized: 403
    case .unauthenticated: 401
    case .noSuchBackend, .responseBodyTooLarge, .filterFailed, .responseHeadersTooLarge, .routingFailed: 500
    case .misdirected: 421
    case .noHealthyUpstream, .connectFailure, .connectTimeout, .upstreamTLSFailure, .upstreamReset, .overflow,
      .requestLimit, .retryLimit, .overloaded, .meshServiceUnknown, .meshServiceTimeout:
      503
    case .upstreamProtocolError, .upgradeUnsupported, .upgradeRefused: 502
    case .responseHeaderTimeout, .perTryTimeout, .upstreamIdleTimeout, .requestTimeout: 504
    case .requestBodyTooLarge: 413
    case .requestHeadersTooLarge: 431
    case .requestBodyTimeout, .requestHeaderTimeout: 408
    case .malformedBody, .badPath: 400
    case .methodNotAllowed: 405
    }
  }

  var flags: ResponseFlags {
    switch self {
    case .noRoute, .meshServiceUnknown, .meshServiceTimeout: .noRouteFound
    case .noSuchBackend: .noServiceFound
    case .noHealthyUpstream: .noHealthyUpstream
    case .connectFailure, .connectTimeout, .upstreamTLSFailure: .upstreamConnectionFailure
    case .upstreamReset: .upstreamConnectionTermination
    case .upstreamProtocolError, .responseHeadersTooLarge, .upgradeUnsupported, .upgradeRefused:
      .upstreamProtocolError
    case .responseHeaderTimeout, .perTryTimeout, .upstreamIdleTimeout: .upstreamRequestTimeout
    case .requestTimeout: .upstreamRequestTimeout
    case .overflow, .requestLimit, .overloaded: .upstreamOverflow
    case .retryLimit: .upstreamRetryLimitExceeded
    case .requestBodyTimeout, .requestHeaderTimeout: .streamIdleTimeout
    case .malformedBody, .badPath, .requestHeadersTooLarge, .requestBodyTooLarge: .downstreamProtocolError
    case .responseBodyTooLarge, .filterFailed, .methodNotAllowed, .routingFailed, .misdirected, .unauthorized,
      .unauthenticated:
      []
    }
  }

  /// In snake_case, for access logs.
  var details: StaticString {
    switch self {
    case .noRoute: "route_not_found"
    case .meshServiceUnknown: "mesh_service_unknown"
    case .meshServiceTimeout: "mesh_service_timeout"
    case .routingFailed: "route_expression_limit"
    case .noSuchBackend: "backend_not_found"
    case .noHealthyUpstream: "no_healthy_upstream"
    case .connectFailure: "upstream_connect_failure"
    case .connectTimeout: "upstream_connect_timeout"
    case .upstreamTLSFailure: "upstream_tls_failure"
    case .misdirected: "misdirected_request"
    case .upstreamReset: "upstream_reset_before_response_started"
    case .upstreamProtocolError: "upstream_protocol_error"
    case .responseHeaderTimeout: "upstream_first_byte_timeout"
    case .perTryTimeout: "upstream_per_try_timeout"
    case .upstreamIdleTimeout: "upstream_idle_timeout"
    case .requestTimeout: "request_timeout"
    case .overflow: "upstream_overflow"
    case .requestLimit: "upstream_request_limit"
    case .retryLimit: "retry_limit_exceeded"
    case .requestBodyTooLarge: "request_body_too_large"
    case .responseBodyTooLarge: "response_body_too_large"
    case .requestHeadersTooLarge: "request_headers_too_large"
    case .responseHeadersTooLarge: "response_headers_too_large"
    case .requestBodyTimeout: "request_body_timeout"
    case .requestHeaderTimeout: "request_header_timeout"
    case .malformedBody: "malformed_request_body"
    case .methodNotAllowed: "method_not_allowed"
    case .badPath: "invalid_path"
    case .filterFailed: "filter_failed"
    case .overloaded: "proxy_overloaded"
    case .upgradeUnsupported: "upstream_upgrade_unsupported"
    case .upgradeRefused: "upstream_upgrade_refused"
    case .unauthorized: "rbac_access_denied"
    case .unauthenticated: "jwt_authn_access_denied"
    }
  }

  /// What the client reads.
  var message: StaticString {
    switch self {
    case .noRoute: "no route matches this host and path\n"
    case .meshServiceUnknown: "no service of the mesh has this name\n"
    case .meshServiceTimeout: "the control plane did not say in time whether the mesh has a service of this name\n"
    case .routingFailed: "a route's regular expression hit its limits\n"
    case .noSuchBackend: "the route names a backend that does not exist\n"
    case .noHealthyUpstream: "no healthy upstream\n"
    case .connectFailure: "could not connect to the upstream\n"
    case .connectTimeout: "connecting to the upstream took too long\n"
    case .upstreamTLSFailure: "no secure connection to the upstream\n"
    case .misdirected: "this connection is for another host\n"
    case .upstreamReset: "the upstream closed the connection before it answered\n"
    case .upstreamProtocolError: "the upstream sent a malformed response\n"
    case .responseHeaderTimeout, .perTryTimeout: "the upstream did not answer in time\n"
    case .upstreamIdleTimeout: "the upstream stopped sending\n"
    case .requestTimeout: "the request took too long\n"
    case .overflow: "too many requests wait for the upstream\n"
    case .requestLimit: "too many requests are under way to the upstream\n"
    case .retryLimit: "too many retries\n"
    case .requestBodyTooLarge: "the request body is too large\n"
    case .responseBodyTooLarge: "the response body is too large\n"
    case .requestHeadersTooLarge: "the request headers are too large\n"
    case .responseHeadersTooLarge: "the response headers are too large\n"
    case .requestBodyTimeout: "the request body did not arrive in time\n"
    case .requestHeaderTimeout: "the request headers did not arrive in time\n"
    case .malformedBody: "the request body is malformed\n"
    case .methodNotAllowed: "CONNECT is for a sidecar's outbound listener, over HTTP/1.1\n"
    case .badPath: "the request path is invalid\n"
    case .filterFailed: "a filter failed\n"
    case .overloaded: "the proxy is overloaded\n"
    case .upgradeUnsupported: "the upstream speaks HTTP/2 and does not offer WebSocket over it (RFC 8441)\n"
    case .upgradeRefused: "the upstream did not switch protocols\n"
    case .unauthorized: "RBAC: access denied"
    case .unauthenticated: "Jwt verification fails\n"
    }
  }
}
