import Glibc
import WeftConfig
import WeftHTTP
import WeftIO
import WeftTLS

/// One fetch of a key set, on a connection of its own: a GET over HTTP/1.1. Redirections are not followed, so that what
/// the configuration names is what is asked.
final class KeySetFetch {
  struct Answer {
    let body: [UInt8]
    /// Seconds for which the answer may be kept (RFC 9111 section 5.2.2); nil when the server says nothing.
    let maxAge: UInt64?
  }

  /// Why there is no answer.
  struct Failure: Error, CustomStringConvertible {
    let description: String
    var isTimeout = false
  }

  private enum Phase { case resolving, connecting, handshake, exchange, done }

  private let set: RemoteKeySet
  private let loop: EventLoop
  private let resolver: Resolver
  private var completion: ((Result<Answer, Failure>) -> Void)?
  private var phase = Phase.resolving
  private var request: Resolver.Request?
  private var addresses: ArraySlice<SocketAddress> = []
  /// Milliseconds for the connection to one address.
  private var patience: UInt64 = 0
  private var fd: Int32 = -1
  private var tls: TLSSession?
  private var deadline: EventLoop.TimerID?
  private var connectTimer: EventLoop.TimerID?
  private var output: [UInt8] = []
  private var input: [UInt8] = []
  /// nil before the head has come.
  private var decoder: BodyDecoder?
  private var trailers = HeaderTable()
  private var body: [UInt8] = []
  private var maxAge: UInt64?

  /// Bytes of a key set.
  static let bodyLimit = 256 << 10
  private static let headLimit = 64 << 10
  /// Addresses of a name that are tried.
  private static let addressLimit = 4

  init(
    _ set: RemoteKeySet, loop: EventLoop, resolver: Resolver,
    completion: @escaping (Result<Answer, Failure>) -> Void
  ) {
    self.set = set
    self.loop = loop
    self.resolver = resolver
    self.completion = completion
  }

  deinit { close() }

  func start() {
    deadline = loop.after(max(set.timeout, 1)) { [weak self] in
      guard let self else { return }
      deadline = nil
      // The loop may have been busy: what has come meanwhile counts.
      if phase != .resolving { advance() }
      fail("no answer within \(set.timeout) ms", isTimeout: true)
    }
    request = resolver.resolve(set.location.host) { [weak self] result in self?.resolved(result) }
  }

  /// Ends it without an outcome.
  func cancel() {
    completion = nil
    close()
  }

  private func fail(_ reason: String, isTimeout: Bool = false) {
    finish(.failure(Failure(description: reason, isTimeout: isTimeout)))
  }

  private func finish(_ result: Result<Answer, Failure>) {
    close()
    guard let completion else { return }
    self.completion = nil
    // Not from within `start`: the caller has not kept the fetch yet.
    loop.after(0) { completion(result) }
  }

  private func close() {
    phase = .done
    if let deadline { loop.cancel(deadline) }
    deadline = nil
    if let request { resolver.cancel(request) }
    request = nil
    disconnect()
  }

  private func disconnect() {
    if let connectTimer { loop.cancel(connectTimer) }
    connectTimer = nil
    Transport.end(&tls)
    if fd >= 0 {
      loop.remove(fd)
      Socket.close(fd)
      fd = -1
    }
  }

  // MARK: Connecting

  private func resolved(_ result: Result<Resolution, ResolveError>) {
    request = nil
    switch result {
    case .failure(let error): fail("cannot resolve \(set.location.host): \(error)", isTimeout: error.reason == .timeout)
    case .success(let resolution):
      let port = UInt16(exactly: set.location.port) ?? 0
      addresses = resolution.addresses.prefix(Self.addressLimit).map { SocketAddress($0, port: port) }[...]
      patience = max(set.timeout / UInt64(max(addresses.count, 1)), 1)
      connect(after: "\(set.location.host) has no address")
    }
  }

  /// Tries the next address.
  private func connect(after problem: String) {
    disconnect()
    guard let address = addresses.popFirst() else { return fail(problem) }
    phase = .connecting
    switch Socket.connect(address) {
    case .connected(let connected), .inProgress(let connected): fd = connected
    case .failed(let error): return connect(after: Self.problem(address, error))
    }
    connectTimer = loop.after(patience) { [weak self] in
      guard let self, phase == .connecting else { return }
      connectTimer = nil
      connect(after: "\(address) does not answer")
    }
    do {
      try loop.add(fd, readable: true, writable: true) { [weak self] readiness in
        guard let self else { return }
        if phase == .connecting {
          if !readiness.writable && !readiness.failed { return }
          guard isConnected(address) else { return }
        }
        advance()
      }
    } catch {
      fail("\(error)")
    }
  }

  private static func problem(_ address: SocketAddress, _ error: Int32) -> String {
    "\(address): \(SystemError(operation: "connect", errno: error))"
  }

  private func isConnected(_ address: SocketAddress) -> Bool {
    var poll = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
    if Glibc.poll(&poll, 1, 0) <= 0 { return false }
    let error = Socket.takeError(fd)
    if error != 0 {
      connect(after: Self.problem(address, error))
      return false
    }
    if let connectTimer { loop.cancel(connectTimer) }
    connectTimer = nil
    guard set.location.isTLS else {
      begin()
      return true
    }
    do throws(TLSFault) {
      // Read anew each time, so that authorities that are added or withdrawn on the machine count.
      let context = try TLSClientContext(
        serverName: set.location.host, trust: try TrustStore(systemAuthorities: ()))
      guard let session = TLSSession.client(fd, context) else {
        fail("no memory for TLS")
        return false
      }
      tls = session
      phase = .handshake
      return true
    } catch {
      fail("\(error)")
      return false
    }
  }

  // MARK: Exchange

  private func advance() {
    if phase == .handshake, let tls {
      switch tls.handshake() {
      case .wantsRead: return wait(writable: false)
      case .wantsWrite: return wait(writable: true)
      case .failed: return fail(tls.failure.map { "\($0)" } ?? "TLS handshake failed")
      case .done: begin()
      }
    }
    if phase == .exchange { exchange() }
  }

  private func begin() {
    phase = .exchange
    output = Array(
      """
      GET \(set.location.target) HTTP/1.1\r
      host: \(set.location.authority)\r
      accept: application/json, application/jwk-set+json\r
      user-agent: weft\r
      connection: close\r
      \r

      """.utf8)
  }

  private func wait(writable: Bool) {
    do { try loop.update(fd, readable: true, writable: writable) } catch { fail("\(error)") }
  }

  private func exchange() {
    while !output.isEmpty {
      let result = output.withUnsafeBufferPointer { bytes -> IOResult in
        guard let base = bytes.baseAddress else { return IOResult(raw: -Int(EINVAL)) }
        return Transport.send(fd, tls, base, bytes.count)
      }
      if result.wouldBlock { return wait(writable: true) }
      // A server may answer and close without reading on.
      if result.failed { output = [] } else { output.removeFirst(result.count) }
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16_384) { memory in
      guard let base = memory.baseAddress else { return fail("no memory") }
      while phase == .exchange {
        let result = Transport.receive(fd, tls, base, 16_384)
        if result.wouldBlock { return wait(writable: false) }
        if result.raw <= 0 {
          if decoder?.close() == true { return complete() }
          return fail("the connection ended before the answer was complete")
        }
        input += Bytes(base, result.raw).array
        takeInput()
      }
    }
  }

  private func takeInput() {
    if decoder == nil && !takeHead() { return }
    while phase == .exchange, var decoder {
      let step = input.withUnsafeBufferPointer { b -> BodyDecoder.Step in
        guard let base = b.baseAddress else { return decoder.isDone ? .end(consumed: 0) : .needMore(consumed: 0) }
        return decoder.next(base, b.count, trailers: &trailers)
      }
      self.decoder = decoder
      switch step {
      case .data(let start, let count, let consumed):
        if body.count + count > Self.bodyLimit { return fail("the answer has more than \(Self.bodyLimit) bytes") }
        body += input[start..<(start + count)]
        input.removeFirst(consumed)
        if decoder.isDone { return complete() }
      case .needMore(let consumed):
        input.removeFirst(consumed)
        return
      case .end: return complete()
      case .malformed(let error): return fail("\(error.message)")
      }
    }
  }

  /// What counts of an answer's head.
  private struct Head {
    var status = 0
    var framing = BodyFraming.none
    var cacheControl: String?
    var location: String?
  }

  /// - Returns: whether the head is there, and the body follows.
  private func takeHead() -> Bool {
    while true {
      let (outcome, found) = input.withUnsafeBufferPointer { b -> (ParseOutcome, Head) in
        var head = MessageHead()
        guard let base = b.baseAddress else { return (.incomplete, Head()) }
        let outcome = HTTP1Parser.parseResponse(base, b.count, to: .get, into: &head, limits: HTTPLimits())
        guard case .complete = outcome else { return (outcome, Head()) }
        return (
          outcome,
          Head(
            status: head.status, framing: head.framing,
            cacheControl: head.headers.find(Bytes("cache-control")).map { head.headers.value(at: $0).string },
            location: head.headers.find(Bytes("location")).map { head.headers.value(at: $0).string })
        )
      }
      switch outcome {
      case .incomplete:
        if input.count >= Self.headLimit { fail("the answer's head is too long") }
        return false
      case .malformed(let error):
        fail("\(error.message)")
        return false
      case .complete(let length):
        input.removeFirst(min(length, input.count))
        if found.status < 200 && found.status != 101 { continue }
        guard found.status == 200 else {
          let target = found.location.map { "; it sends to \(VisibleText.of(String($0.prefix(200))))" } ?? ""
          fail("the server answers \(found.status)\(300..<400 ~= found.status ? target : "")")
          return false
        }
        maxAge = found.cacheControl.flatMap(Self.maxAge)
        decoder = BodyDecoder(found.framing)
        return true
      }
    }
  }

  private func complete() { finish(.success(Answer(body: body, maxAge: maxAge))) }

  /// Seconds; 0 when the answer must not be kept; nil when nothing is said.
  static func maxAge(_ text: String) -> UInt64? {
    var seconds: UInt64?
    for directive in text.lowercased().split(separator: ",") {
      let parts = directive.split(separator: "=", maxSplits: 1).map { $0.trimming(while: { $0 == " " || $0 == "\t" }) }
      guard let name = parts.first else { continue }
      if name == "no-store" || name == "no-cache" { return 0 }
      guard name == "max-age", parts.count == 2 else { continue }
      let digits = parts[1].trimming(while: { $0 == "\"" })
      guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { continue }
      seconds = UInt64(digits) ?? UInt64(UInt32.max)
    }
    return seconds
  }
}

extension Substring {
  fileprivate func trimming(while isBlank: (Character) -> Bool) -> Substring {
    var text = drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
  }
}
