import WeftIO

extension AccessLogFormat {
  /// Appends the line for `record` to `out`; `out.overflow` says whether it did not fit.
  /// - Parameter caches: one a time format, kept by the caller from line to line.
  func write<Fields: AccessFields>(
    _ record: borrowing AccessRecord, _ fields: Fields, caches: UnsafeMutablePointer<TimeCache>,
    to out: inout ByteWriter
  ) {
    guard var step = UnsafePointer(steps.baseAddress) else { return }
    let end = step + steps.count
    while step < end {
      defer { step += 1 }
      switch step.pointee.op {
      case .literal: out.append(step.pointee.text)
      case .time: time(record.startTime, step, caches, &out)
      case .emitTime: time(record.startTime &+ UInt64(max(record.duration, 0)), step, caches, &out)
      case .responseFlags, .responseFlagsLong:
        if step.pointee.mode == .value { out.append(byte: 0x22) }
        record.flags.append(to: &out, long: step.pointee.op == .responseFlagsLong)
        if step.pointee.mode == .value { out.append(byte: 0x22) }
      default:
        if append(step.pointee.op, step.pointee.text, step, record, fields, &out) { continue }
        if step.pointee.hasAlternative,
          append(step.pointee.alternative, step.pointee.alternativeText, step, record, fields, &out)
        {
          continue
        }
        if step.pointee.mode == .value {
          out.append("null")
        } else {
          out.append(byte: 0x2d)
        }
      }
    }
  }

  /// Appends an operator's value; false when there is none.
  private func append<Fields: AccessFields>(
    _ op: AccessLogOperator, _ name: Bytes, _ step: UnsafePointer<CompiledStep>, _ record: borrowing AccessRecord,
    _ fields: Fields,
    _ out: inout ByteWriter
  ) -> Bool {
    if op.isNumber {
      let number = number(op, step, record)
      if number < 0 { return false }
      out.append(decimal: UInt64(number))
      return true
    }
    let value = value(op, name, step, record, fields)
    if value.isEmpty { return false }
    append(cut(value, Int(step.pointee.maxLength)), step.pointee.mode, &out)
    return true
  }

  private func time(
    _ nanoseconds: UInt64, _ step: UnsafePointer<CompiledStep>, _ caches: UnsafeMutablePointer<TimeCache>,
    _ out: inout ByteWriter
  ) {
    let slot = Int(step.pointee.slot)
    if step.pointee.mode == .value { out.append(byte: 0x22) }
    caches[slot].append(nanoseconds, times[slot], to: &out)
    if step.pointee.mode == .value { out.append(byte: 0x22) }
  }

  // MARK: Numbers

  /// The value of a numeric operator, below 0 when it is not known.
  private func number(
    _ op: AccessLogOperator, _ step: UnsafePointer<CompiledStep>, _ record: borrowing AccessRecord
  ) -> Int64 {
    switch op {
    case .responseCode: return Int64(record.status)
    case .bytesReceived: return Int64(truncatingIfNeeded: record.bytesReceived & 0x7fff_ffff_ffff_ffff)
    case .bytesSent: return Int64(truncatingIfNeeded: record.bytesSent & 0x7fff_ffff_ffff_ffff)
    case .requestHeaderBytes: return Int64(truncatingIfNeeded: record.requestHeaderBytes & 0x7fff_ffff_ffff_ffff)
    case .responseHeaderBytes: return Int64(truncatingIfNeeded: record.responseHeaderBytes & 0x7fff_ffff_ffff_ffff)
    case .attempts: return Int64(record.attempts)
    case .connectionID: return Int64(truncatingIfNeeded: record.connectionID & 0x7fff_ffff_ffff_ffff)
    case .duration: return milliseconds(record.duration)
    case .requestDuration: return milliseconds(record.timing.requestEnd)
    case .requestSentDuration: return milliseconds(record.timing.upstreamRequestEnd)
    case .responseDuration: return milliseconds(record.timing.upstreamResponseBegin)
    case .responseSentDuration:
      return between(record.timing.upstreamResponseBegin, record.timing.responseEnd, 1_000_000)
    case .upstreamServiceTime: return milliseconds(record.timing.upstreamServiceTime)
    case .commonDuration:
      return between(
        point(step.pointee.from, record.timing), point(step.pointee.to, record.timing), step.pointee.divisor)
    case .downstreamRemotePort: return port(record.downstreamRemoteAddress)
    case .downstreamDirectRemotePort: return port(direct(record))
    case .downstreamLocalPort: return port(record.downstreamLocalAddress)
    case .upstreamRemotePort: return port(record.upstreamHost)
    case .upstreamLocalPort: return port(record.upstreamLocalAddress)
    default: return -1
    }
  }

  private func milliseconds(_ nanoseconds: Int64) -> Int64 { nanoseconds < 0 ? -1 : nanoseconds / 1_000_000 }

  private func between(_ from: Int64, _ to: Int64, _ divisor: Int64) -> Int64 {
    from < 0 || to < from ? -1 : (to &- from) / divisor
  }

  private func point(_ point: AccessLogOperator.TimePoint, _ timing: ExchangeTiming) -> Int64 {
    switch point {
    case .requestBegin: 0
    case .requestEnd: timing.requestEnd
    case .connectBegin: timing.connectBegin
    case .connectEnd: timing.connectEnd
    case .upstreamRequestBegin: timing.upstreamRequestBegin
    case .upstreamRequestEnd: timing.upstreamRequestEnd
    case .upstreamResponseBegin: timing.upstreamResponseBegin
    case .upstreamResponseEnd: timing.upstreamResponseEnd
    case .responseBegin: timing.responseBegin
    case .responseEnd: timing.responseEnd
    }
  }

  // MARK: Bytes

  private func append(_ value: Bytes, _ mode: CompiledStep.Mode, _ out: inout ByteWriter) {
    switch mode {
    case .text: out.appendTextEscaped(value)
    case .inString: out.appendJSONEscaped(value)
    case .value:
      out.append(byte: 0x22)
      out.appendJSONEscaped(value)
      out.append(byte: 0x22)
    }
  }

  /// At most `limit` bytes, not ending within a UTF-8 sequence.
  private func cut(_ value: Bytes, _ limit: Int) -> Bytes {
    if value.count <= limit { return value }
    var end = limit
    while end > 0 && limit &- end < 3 && value[end] & 0xc0 == 0x80 { end &-= 1 }
    return value.slice(0, end)
  }

  private func value<Fields: AccessFields>(
    _ op: AccessLogOperator, _ name: Bytes, _ step: UnsafePointer<CompiledStep>, _ record: borrowing AccessRecord,
    _ fields: Fields
  ) -> Bytes {
    switch op {
    case .requestHeader: return fields.requestHeader(name) ?? Bytes()
    case .responseHeader: return fields.responseHeader(name) ?? Bytes()
    case .responseTrailer: return fields.responseTrailer(name) ?? Bytes()
    case .queryParameter: return queryParameter(name, in: current(record))
    case .path:
      let path = step.pointee.original ? record.path : current(record)
      return step.pointee.withoutQuery ? path.slice(0, path.firstIndex(of: 0x3f) ?? path.count) : path
    case .method: return record.method
    case .currentPath: return current(record)
    case .originalPath: return record.rewrittenPath.isEmpty ? Bytes() : record.path
    case .authority: return record.authority
    case .scheme: return record.scheme
    case .userAgent:
      return record.userAgent.isEmpty ? fields.requestHeader(Bytes("user-agent")) ?? Bytes() : record.userAgent
    case .referer: return record.referer.isEmpty ? fields.requestHeader(Bytes("referer")) ?? Bytes() : record.referer
    case .forwardedFor:
      return record.forwardedFor.isEmpty
        ? fields.requestHeader(Bytes("x-forwarded-for")) ?? Bytes() : record.forwardedFor
    case .requestID:
      return record.requestID.isEmpty ? fields.requestHeader(Bytes("x-request-id")) ?? Bytes() : record.requestID
    case .httpVersion: return record.httpVersion.text
    case .upstreamHTTPVersion: return record.upstreamHTTPVersion.text
    case .responseCodeDetails: return record.responseCodeDetails
    case .connectionTerminationDetails: return record.connectionTerminationDetails
    case .upstreamFailureReason: return record.upstreamFailureReason
    case .route: return record.route
    case .listener: return record.listener
    case .filters: return record.filters
    case .upstreamService: return record.upstreamService
    case .upstreamHost: return record.upstreamHost
    case .upstreamHostOnly: return host(record.upstreamHost)
    case .upstreamLocalAddress: return record.upstreamLocalAddress
    case .upstreamLocalHost: return host(record.upstreamLocalAddress)
    case .downstreamRemoteAddress: return record.downstreamRemoteAddress
    case .downstreamRemoteHost: return host(record.downstreamRemoteAddress)
    case .downstreamDirectRemoteAddress: return direct(record)
    case .downstreamDirectRemoteHost: return host(direct(record))
    case .downstreamLocalAddress: return record.downstreamLocalAddress
    case .downstreamLocalHost: return host(record.downstreamLocalAddress)
    case .requestedServerName: return record.requestedServerName
    case .tlsVersion: return record.tlsVersion
    case .tlsCipher: return record.tlsCipher
    case .authorizationDecision: return record.authorizationDecision
    case .authorizationPolicy: return record.authorizationPolicy
    case .authorizationAudit: return record.authorizationAudit
    case .peerSubject: return record.peerSubject
    case .peerURIs: return record.peerURIs
    case .peerDNSNames: return record.peerDNSNames
    case .peerDigest: return record.peerDigest
    case .peerSerial: return record.peerSerial
    case .traceID: return record.traceID
    case .spanID: return record.spanID
    default: return Bytes()
    }
  }

  private func current(_ record: borrowing AccessRecord) -> Bytes {
    record.rewrittenPath.isEmpty ? record.path : record.rewrittenPath
  }

  private func direct(_ record: borrowing AccessRecord) -> Bytes {
    record.downstreamDirectRemoteAddress.isEmpty ? record.downstreamRemoteAddress : record.downstreamDirectRemoteAddress
  }

  /// The value of the first parameter called `name`, as it stands in the target.
  private func queryParameter(_ name: Bytes, in target: Bytes) -> Bytes {
    guard let mark = target.firstIndex(of: 0x3f) else { return Bytes() }
    var start = mark &+ 1
    while start < target.count {
      let end = target.firstIndex(of: 0x26, from: start) ?? target.count
      let pair = target.slice(start, end)
      if pair.count > name.count, pair[name.count] == 0x3d, pair.hasPrefix(name) {
        return pair.slice(name.count &+ 1, pair.count)
      }
      start = end &+ 1
    }
    return Bytes()
  }

  // MARK: Addresses

  /// Where the port's colon stands: the last one, unless it belongs to an address of version 6 without brackets, or the
  /// text names a Unix socket.
  private func portColon(_ address: Bytes) -> Int? {
    var i = address.count
    while i > 0 {
      i &-= 1
      let c = address[i]
      if c == 0x3a { return i > 0 && (address[i &- 1] == 0x5d || address.firstIndex(of: 0x3a) == i) ? i : nil }
      if c &- 0x30 > 9 { return nil }
    }
    return nil
  }

  private func port(_ address: Bytes) -> Int64 {
    guard let colon = portColon(address) else { return -1 }
    return address.slice(colon &+ 1, address.count).decimal.map { Int64($0 & 0xffff) } ?? -1
  }

  /// Without the port, and without an address's brackets.
  private func host(_ address: Bytes) -> Bytes {
    let host = address.slice(0, portColon(address) ?? address.count)
    if host.count > 1, host[0] == 0x5b, host[host.count &- 1] == 0x5d { return host.slice(1, host.count &- 1) }
    return host
  }
}
