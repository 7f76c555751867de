import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// The access logs of one worker.
final class WorkerAccessLog {
  private let logs: [(log: AccessLogs.Log, buffer: AccessLogBuffer)]
  private let text = MutableBytePointer.allocate(capacity: WorkerAccessLog.textSize)
  private static let textSize = 4096

  init(_ logs: AccessLogs) {
    self.logs = logs.logs.map { ($0, AccessLogBuffer(format: $0.format, sink: $0.sink)) }
  }

  deinit { text.deallocate() }

  var isEmpty: Bool { logs.isEmpty }

  /// Hands over what has been written.
  func flush() { for entry in logs { entry.buffer.flush() } }

  /// Writes an exchange that has come to its end.
  /// - Parameter status: 0 when no response was begun.
  func write(_ x: ExchangeRef, status: Int, now: UInt64) {
    let s = x.pointee.state
    let duration = Int64(bitPattern: now &- s.pointee.started)
    if !logs.contains(where: { wants($0.log, status, duration) }) { return }
    var w = ByteWriter(text, Self.textSize)
    func address(_ a: SocketAddress) -> Bytes {
      let start = w.count
      if a.port != 0 || a.ip != nil || a.unixPath != nil { a.append(to: &w) }
      return w.bytes.slice(start, w.count)
    }
    var record = AccessRecord(startTime: s.pointee.startedWall, duration: duration)
    let request = s.request
    record.method = request.pointee.headers.text(request.pointee.methodText)
    record.path = request.pointee.headers.text(request.pointee.originalTarget)
    let target = request.pointee.headers.text(request.pointee.target)
    if !(target == record.path) { record.rewrittenPath = target }
    record.scheme = s.pointee.isTLS ? Bytes("https") : Bytes("http")
    record.authority = request.pointee.headers.value(.host) ?? Bytes()
    record.httpVersion =
      switch request.pointee.version {
      case .http10: .http10
      case .http11: .http11
      case .http2: .http2
      }
    record.bytesReceived = x.pointee.bytesReceived
    record.bytesSent = x.pointee.bytesSent
    record.status = UInt16(clamping: status)
    record.flags = s.pointee.responseFlags
    record.responseCodeDetails =
      s.pointee.details.utf8CodeUnitCount > 0 ? Bytes(s.pointee.details) : status == 0 ? Bytes() : Bytes("via_upstream")
    record.attempts = UInt32(clamping: s.pointee.attempts)
    record.upstreamService = s.pointee.serviceName
    record.upstreamHost = address(s.pointee.upstreamAddress)
    if x.pointee.responseStarted {
      record.upstreamHTTPVersion = s.pointee.response.version == .http2 ? .http2 : .http11
    }
    record.route = s.pointee.routeName
    record.listener = s.pointee.listenerName
    if let tls = s.pointee.tls { describe(tls._withUnsafeGuaranteedRef { $0 }, in: &record, &w) }
    record.downstreamRemoteAddress = address(s.pointee.clientAddress)
    if s.pointee.clientAddress != s.pointee.peerAddress {
      record.downstreamDirectRemoteAddress = address(s.pointee.peerAddress)
    }
    record.downstreamLocalAddress = address(s.pointee.localAddress)
    if x.pointee.upstreamStarted != 0 {
      record.timing.upstreamRequestBegin = Int64(bitPattern: x.pointee.upstreamStarted &- s.pointee.started)
      if x.pointee.upstreamFirstByte != 0 {
        record.timing.upstreamResponseBegin = Int64(bitPattern: x.pointee.upstreamFirstByte &- s.pointee.started)
      }
    }
    if x.pointee.requestDone { record.timing.requestEnd = 0 }
    if status != 0 { record.timing.responseEnd = duration }
    record.filters = filters(s, &w)
    if x.pointee.authorization.generation == x.pointee.generation { describe(x, in: &record) }
    let fields = LoggedFields(state: s, hasResponse: status != 0)
    for entry in logs where wants(entry.log, status, duration) { entry.buffer.write(record, fields) }
  }

  /// What policies said.
  private func describe(_ x: ExchangeRef, in record: inout AccessRecord) {
    guard let table = x.pointee.snapshot?._withUnsafeGuaranteedRef({ $0.snapshot.authorization }) else { return }
    func name(_ number: Int32) -> Bytes {
      let number = Int(number)
      return table.policies.indices.contains(number) ? table.policies[number].name.bytes : Bytes()
    }
    let authorization = x.pointee.authorization
    record.authorizationDecision = authorization.decision.isAllowed ? Bytes("allowed") : Bytes("denied")
    record.authorizationPolicy = name(authorization.decision.policy)
    record.authorizationAudit = name(authorization.audit)
  }

  /// What there is to say of the client's TLS; a name that does not fit is left out.
  private func describe(_ tls: DownstreamTLS, in record: inout AccessRecord, _ w: inout ByteWriter) {
    func text(_ parts: [String]) -> Bytes {
      let start = w.count
      for (i, part) in parts.enumerated() {
        if part.utf8.count + 1 > w.space { break }
        if i > 0 { w.append(",") }
        w.append(part)
      }
      return w.bytes.slice(start, w.count)
    }
    record.requestedServerName = tls.serverNameBytes.bytes
    record.tlsVersion = text([tls.version])
    record.tlsCipher = text([tls.cipher])
    guard let peer = tls.peer else { return }
    record.peerSubject = text([peer.subject])
    record.peerURIs = text(peer.uris)
    record.peerDNSNames = text(peer.dnsNames)
    record.peerDigest = text([peer.digest])
    record.peerSerial = text([peer.serial])
  }

  private func wants(_ log: AccessLogs.Log, _ status: Int, _ duration: Int64) -> Bool {
    duration >= log.minDuration && (log.statuses.isEmpty || log.statuses.contains { $0.contains(status) })
  }

  /// Names of the filters that ran, joined by commas.
  private func filters(_ s: UnsafeMutablePointer<ExchangeState>, _ w: inout ByteWriter) -> Bytes {
    guard let chain = s.pointee.chain, s.pointee.filtersRun != 0 else { return Bytes() }
    let start = w.count
    chain._withUnsafeGuaranteedRef { chain in
      var mask = s.pointee.filtersRun
      while mask != 0 {
        let i = mask.trailingZeroBitCount
        mask &= mask &- 1
        if i >= chain.count { break }
        if w.count > start { w.append(",") }
        w.append(chain.names[i])
      }
    }
    return w.bytes.slice(start, w.count)
  }
}

/// Looks up the fields that a format names.
struct LoggedFields: AccessFields {
  let state: UnsafeMutablePointer<ExchangeState>
  let hasResponse: Bool

  func requestHeader(_ name: Bytes) -> Bytes? {
    state.pointee.request.headers.find(name).map { state.pointee.request.headers.value(at: $0) }
  }

  func responseHeader(_ name: Bytes) -> Bytes? {
    if !hasResponse { return nil }
    return state.pointee.response.headers.find(name).map { state.pointee.response.headers.value(at: $0) }
  }

  func responseTrailer(_ name: Bytes) -> Bytes? {
    state.pointee.responseTrailers.find(name).map { state.pointee.responseTrailers.value(at: $0) }
  }
}
