import WeftFilter
import WeftHTTP
import WeftIO

/// Sessions: a client's further requests go where its first one went, as long as that endpoint is there.
extension Worker {
  /// The backend of the session that the request belongs to; nil when it belongs to none that is still good.
  func resumeSession(_ x: ExchangeRef, _ rule: RuleRef, _ snapshot: WorkerSnapshot) -> BackendRef? {
    guard let session = rule.pointee.session, let text = carried(x.pointee.state, session),
      let token = SessionToken(text)
    else { return nil }
    let now = clock.pointee.wall / 1_000_000_000
    // A time ahead of ours is another proxy's clock, or made up.
    if session.absoluteTimeout > 0 && now >= token.created &+ session.absoluteTimeout { return nil }
    if session.idleTimeout > 0 && now >= token.used &+ session.idleTimeout { return nil }
    for i in 0..<rule.pointee.backendCount {
      let backend = rule.pointee.backends + i
      guard backend.pointee.service >= 0, let service = snapshot.services[backend.pointee.service],
        service.pointee.endpoint(id: token.id) != nil
      else { continue }
      x.pointee.session = token
      return backend
    }
    return nil
  }

  /// What the request carries of its session.
  private func carried(_ s: UnsafeMutablePointer<ExchangeState>, _ session: SessionSpec) -> Bytes? {
    if let header = session.header { return s.pointee.request.headers.value(header) }
    return Worker.cookie(session.name.bytes, of: UnsafePointer(s.request))
  }

  /// The value of the first cookie of that name (RFC 6265 section 5.4).
  static func cookie(_ name: Bytes, of request: UnsafePointer<MessageHead>) -> Bytes? {
    var field = request.pointee.headers.find(.cookie)
    while let i = field {
      let cookies = request.pointee.headers.value(at: i)
      var start = 0
      while start < cookies.count {
        let end = cookies.firstIndex(of: 0x3b, from: start) ?? cookies.count
        let pair = cookies.slice(start, end).trimmed
        if pair.count > name.count && pair[name.count] == 0x3d && pair.hasPrefix(name) {
          return pair.slice(name.count + 1, pair.count)
        }
        start = end + 1
      }
      field = request.pointee.headers.find(.cookie, from: i + 1)
    }
    return nil
  }

  /// Tells the client of its session, unless it knows all there is to know.
  func markSession(_ x: ExchangeRef, _ rule: RuleRef) {
    guard let session = rule.pointee.session, let e = x.pointee.upstream?.pointee.endpoint else { return }
    let now = clock.pointee.wall / 1_000_000_000
    let isSame = x.pointee.session.id == e.pointee.id
    if isSame && session.idleTimeout == 0 { return }
    let token = SessionToken(id: e.pointee.id, created: isSame ? x.pointee.session.created : now, used: now)
    let s = x.pointee.state
    var w = ByteWriter(scratch, Self.scratchSize)
    if let header = session.header {
      token.write(into: &w)
      s.pointee.response.headers.set(header, w.bytes)
      return
    }
    w.append(session.name.bytes)
    w.append(byte: 0x3d)
    token.write(into: &w)
    w.append(session.attributes.bytes)
    if session.isPermanent {
      w.append("; Max-Age=")
      w.append(decimal: token.created &+ session.absoluteTimeout &- min(now, token.created &+ session.absoluteTimeout))
    }
    if s.pointee.isTLS { w.append("; Secure") }
    if !w.overflow { s.pointee.response.headers.add(literal: "set-cookie", w.bytes, known: .other) }
  }
}
