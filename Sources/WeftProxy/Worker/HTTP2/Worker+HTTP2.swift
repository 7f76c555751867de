import WeftFilter
import WeftHTTP
import WeftIO

/// Clients' HTTP/2 connections: begun, read, written, ended.
extension Worker {
  /// The first 16 bytes of the client's preface (RFC 9113 3.4), which no other protocol begins with; libnghttp2 checks
  /// the rest.
  private static let preface: StaticString = "PRI * HTTP/2.0\r\n"
  /// Rounds of writing that one connection may do before others get their turn.
  static let writeRounds = 16

  func startsHTTP2(_ c: ClientRef) -> Bool {
    c.pointee.requests == 0 && Bytes(c.pointee.input.readPointer, c.pointee.input.count).hasPrefix(Bytes(Self.preface))
  }

  /// Goes on in HTTP/2 with what has been received.
  func startHTTP2(_ c: ClientRef) {
    if let x = c.pointee.exchange { releaseExchange(x) }
    do throws(HTTP2Failure) {
      guard let l = c.pointee.listener else { return closeClient(c) }
      let session = try ClientSession(self, c, settings.http2, http2Metrics(of: l))
      c.pointee.useStream()
      c.pointee.stream.session = .passRetained(session)
    } catch {
      control.limitedLog.log(.warning, "cannot begin an HTTP/2 session: \(error)")
      return closeClient(c)
    }
    c.pointee.phase = .http2
    c.pointee.closeAfter = false
    setTimer(c, settings.requestHeaderTimeout)
    readHTTP2(c)
  }

  /// Made when the first client speaks HTTP/2.
  private func http2Metrics(of l: ListenerRef) -> HTTP2Metrics {
    if let made = l.pointee.metrics.http2 { return made }
    let made = HTTP2Metrics(families.http2.downstream, context.metrics, owner: l.pointee.name.bytes.string)
    l.pointee.metrics.http2 = made
    return made
  }

  /// Reads what there is, and lets the streams go on that it concerns.
  func readHTTP2(_ c: ClientRef) {
    let generation = c.pointee.generation
    var budget = Self.pumpBudget
    while c.pointee.generation == generation && c.pointee.phase == .http2 {
      if !c.pointee.input.isEmpty {
        guard let session = c.pointee.stream.session else { return closeClient(c) }
        let bytes = Bytes(c.pointee.input.readPointer, c.pointee.input.count)
        let isFine = session._withUnsafeGuaranteedRef { $0.receive(bytes) }
        c.pointee.input.start = c.pointee.input.end
        markDirty(c)
        runNotices()
        if !isFine && c.pointee.generation == generation { return endHTTP2(c) }
        continue
      }
      if !c.pointee.readable {
        pool.detach(&c.pointee.input)
        // The client has shut its side: it can read what is under way, but ask for nothing more.
        if c.pointee.sawEOF { closeClient(c) }
        return
      }
      budget &-= 1
      if budget == 0 { return deferred.append(.readHTTP2(c.pointee.token)) }
      pool.attach(&c.pointee.input)
      c.pointee.input.rewindIfEmpty()
      if fill(c) == .closed { return closeClient(c) }
    }
  }

  /// The connection must end: says why, as far as the socket takes it, and closes.
  private func endHTTP2(_ c: ClientRef) {
    let generation = c.pointee.generation
    var w = ByteWriter(scratch, Self.scratchSize)
    if let session = c.pointee.stream.session, c.pointee.output.isEmpty {
      _ = session._withUnsafeGuaranteedRef { $0.write(into: &w) }
      if w.count > 0 { _ = sendToClient(c, BytePointer(scratch), w.count) }
    }
    runNotices()
    if c.pointee.generation == generation { closeClient(c) }
  }

  // MARK: Writing

  /// The session of `c`, a connection or a stream, has something to send: it is asked for before the worker sleeps, so
  /// that what many streams say goes out in one write.
  @inline(__always)
  func markDirty(_ c: ClientRef) {
    guard let session = c.pointee.stream.session else { return }
    session._withUnsafeGuaranteedRef { s in
      if s.isDirty { return }
      s.isDirty = true
      dirty.append(s.connection.pointee.token)
    }
  }

  func flushDirty() {
    swap(&dirty, &dirtySpare)
    var i = 0
    while i < dirtySpare.count {
      let token = dirtySpare[i]
      i &+= 1
      if token.kind == Owner.client {
        let c = clients[token.slot]
        if c.pointee.generation == token.generation && c.pointee.phase == .http2 { flushHTTP2(c) }
      } else {
        let u = upstreams[token.slot]
        if u.pointee.generation == token.generation { flushUpstreamHTTP2(u) }
      }
    }
    dirtySpare.removeAll(keepingCapacity: true)
  }

  /// Writes what the session has to say, until it is silent or the socket full.
  func flushHTTP2(_ c: ClientRef) {
    guard let session = c.pointee.stream.session else { return }
    let generation = c.pointee.generation
    session._withUnsafeGuaranteedRef { $0.isDirty = false }
    for round in 0... {
      if !c.pointee.output.isEmpty { return }
      if round == Self.writeRounds { return markDirty(c) }
      var w = ByteWriter(scratch, Self.scratchSize)
      let isFine = session._withUnsafeGuaranteedRef { $0.write(into: &w) }
      if w.count > 0 && !sendToClient(c, BytePointer(scratch), w.count) { return }
      runNotices()
      if c.pointee.generation != generation { return }
      if !isFine { return closeClient(c) }
      if w.count == 0 { break }
    }
    session._withUnsafeGuaranteedRef { if let signals = $0.takeSignals() { $0.metrics.count(signals) } }
    if session._withUnsafeGuaranteedRef({ $0.isOver || ($0.isLeaving && $0.streams == 0) }) {
      dropSession(c)
      closeGently(c)
    }
  }

  // MARK: Notices

  @inline(__always)
  func note(_ c: ClientRef, _ notice: ClientStream.Notices) {
    if c.pointee.stream.notices.isEmpty { noticed.append(c.pointee.token) }
    c.pointee.stream.notices.insert(notice)
  }

  /// Lets the streams go on to which something happened.
  func runNotices() {
    // What runs here may note more, but reads and writes no session.
    var i = 0
    while i < noticed.count {
      let token = noticed[i]
      i &+= 1
      let c = clients[token.slot]
      if c.pointee.generation != token.generation { continue }
      let notices = c.pointee.stream.notices
      c.pointee.stream.notices = []
      streamEvent(c, notices)
    }
    noticed.removeAll(keepingCapacity: true)
  }

  // MARK: The end

  /// Nothing is asked for any more, a head does not come to its end, or the client reads nothing.
  func http2TimedOut(_ c: ClientRef) {
    guard let session = c.pointee.stream.session else { return closeClient(c) }
    let connection = session._withUnsafeGuaranteedRef { $0.connection }
    let isIdle = session._withUnsafeGuaranteedRef { $0.streams == 0 } && connection.pointee.output.isEmpty
    session._withUnsafeGuaranteedRef { $0.end(isIdle ? .noError : .enhanceYourCalm) }
    endHTTP2(connection)
  }

  /// No further streams; the connection closes behind the last one.
  func leaveHTTP2(_ c: ClientRef) {
    guard let session = c.pointee.stream.session else { return }
    session._withUnsafeGuaranteedRef { s in
      if s.isLeaving { return }
      s.isLeaving = true
      s.stopAccepting()
    }
    markDirty(c)
  }

  /// The connection is going: so do its streams, and its session.
  func dropSession(_ c: ClientRef) {
    guard let session = c.pointee.stream.session else { return }
    while let stream = session._withUnsafeGuaranteedRef({ $0.first }) {
      stream.pointee.stream.isClosed = true
      clientGone(stream)
    }
    c.pointee.stream.session = nil
    session._withUnsafeGuaranteedRef { $0.ended() }
    session.release()
  }
}
