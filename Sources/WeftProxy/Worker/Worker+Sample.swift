import Glibc
import WeftHTTP
import WeftTLS

/// What a worker knows about itself, for metrics: looked at once a second, so that it costs the requests nothing.
extension Worker {
  func sample() {
    metrics.exchanges.set(exchanges.live)
    metrics.buffers.set(pool.lent * Self.bufferSize)
    metrics.streams.set(streamsActive + upstreamStreams)
    if index == 0 {
      // The process's, whichever worker looks.
      metrics.sessions.set(HTTP2Session.live)
      metrics.tls.set(TLSSession.live)
    }
    var ts = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts)
    let busy = UInt64(ts.tv_sec) &* 1_000_000_000 &+ UInt64(ts.tv_nsec)
    metrics.busy.add(busy &- sampledBusy)
    sampledBusy = busy
    let now = clock.pointee.milliseconds
    for service in services.values {
      var (idle, failed, unhealthy, ejected) = (0, 0, 0, 0)
      for e in service.pointee.endpoints {
        idle += e.pointee.idleCount
        if e.pointee.health?._withUnsafeGuaranteedRef({ $0.hasFailedCheck }) ?? false {
          unhealthy += 1
        } else if !e.pointee.isAvailable {
          ejected += 1
        } else if e.pointee.avoidedUntil > now {
          failed += 1
        }
      }
      service.pointee.metrics.idle.set(idle)
      // Every worker has all endpoints, and judges them by its own connects: the first one speaks for all.
      if index == 0 {
        service.pointee.metrics.ready.set(service.pointee.endpoints.count - failed - unhealthy - ejected)
        service.pointee.metrics.failed.set(failed)
        service.pointee.metrics.unhealthy.set(unhealthy)
        service.pointee.metrics.ejected.set(ejected)
      }
    }
  }
}
