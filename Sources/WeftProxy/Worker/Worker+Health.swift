import WeftFilter
import WeftHTTP
import WeftIO

/// Outlier detection: endpoints are judged by how they answer the requests of clients.
extension Worker {
  /// A response's head has come from `e`, whose health is looked at.
  func judgeResponse(_ x: ExchangeRef, _ e: EndpointRef, _ status: Int) {
    var status = status
    // A call that fails at once has a status of its own in the head.
    if status == 200, let text = x.pointee.state.pointee.response.headers.value(HealthNames.grpcStatus),
      let code = text.decimal.flatMap({ Int(exactly: $0) }).flatMap(GRPCStatus.init(rawValue:))
    {
      switch code {
      case .unavailable: status = 503
      case .deadlineExceeded: status = 504
      case .unknown, .internal, .dataLoss: status = 500
      default: break
      }
    }
    judge(e, status: status)
  }

  /// - Parameter status: of the response, or what the failure becomes.
  func judge(_ e: EndpointRef, status: Int) {
    guard let health = e.pointee.health else { return }
    let service = e.pointee.service
    guard let outlier = service.pointee.outlier else { return }
    if status < 500 { return health._withUnsafeGuaranteedRef { $0.succeeded() } }
    let total = service.pointee.endpoints.count
    let now = clock.pointee.milliseconds
    guard
      let reason = health._withUnsafeGuaranteedRef({ $0.failed(status: status, outlier, of: total, now: now) })
    else { return }
    let name = service.pointee.name.bytes.string
    context.metrics.counter(families.upstreamEjections, [name, reason.rawValue]).add()
    control.limitedLog.log(
      .warning, "\(e.pointee.address) of \(name) takes no requests for a while: \(reason.rawValue)")
  }
}

private enum HealthNames {
  static let grpcStatus = HeaderName("grpc-status")
}
