import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// Counting and logging finished exchanges.
extension Worker {
  func report(_ x: ExchangeRef) {
    let s = x.pointee.state
    let status = x.pointee.responseHeadSent ? s.pointee.response.status : 0
    if let rule = x.pointee.rule {
      let metrics = rule.pointee.metrics
      metrics.requests.count(status: status)
      metrics.duration.observe(clock.pointee.now &- s.pointee.started)
      if x.pointee.bytesReceived > 0 { metrics.received.add(x.pointee.bytesReceived) }
      if x.pointee.bytesSent > 0 { metrics.sent.add(x.pointee.bytesSent) }
      if !s.pointee.responseFlags.isEmpty { metrics.flags.count(s.pointee.responseFlags) }
    } else {
      noRoute.requests.count(status: status)
      noRoute.duration.observe(clock.pointee.now &- s.pointee.started)
      noRoute.flags.count(s.pointee.responseFlags)
    }
    if let log = accessLog, !log.isEmpty { log.write(x, status: status, now: clock.pointee.now) }
  }
}
