import Glibc
import WeftConfig
import WeftHTTP
import WeftIO
import WeftTLS

/// One check of one endpoint, on a connection of its own.
final class HealthProbe {
  enum Outcome: CustomStringConvertible {
    case success
    case failure(String)
    case timeout

    /// As metrics call it.
    var metric: String {
      switch self {
      case .success: "success"
      case .failure: "failure"
      case .timeout: "timeout"
      }
    }

    var description: String {
      switch self {
      case .success: "success"
      case .failure(let reason): reason
      case .timeout: "no answer in time"
      }
    }
  }

  private enum Phase { case connecting, handshake, exchange, done }

  private let check: HealthCheckSettings
  private let address: SocketAddress
  private let context: TLSClientContext?
  private let proxyProtocol: ProxyProtocolHeader.Version?
  private var isHTTP2: Bool
  /// The endpoint says in the TLS handshake whether it speaks HTTP/2.
  private let negotiates: Bool
  private let loop: EventLoop
  private var completion: ((Outcome) -> Void)?
  private var fd: Int32 = -1
  private var tls: TLSSession?
  private var phase = Phase.connecting
  private var timer: EventLoop.TimerID?
  private var output: [UInt8] = []
  private var input: [UInt8] = []
  private var session: ProbeSession?

  /// A head longer than this is no answer to a check.
  private static let headLimit = 64 * 1024

  init(
    _ check: HealthCheckSettings, _ service: ServiceSpec, _ address: SocketAddress, _ loop: EventLoop,
    completion: @escaping (Outcome) -> Void
  ) {
    self.check = check
    let isPlain = service.isMesh && service.addresses.contains { $0.address == address && $0.isPlain }
    context = isPlain ? nil : service.tls
    proxyProtocol = service.proxyProtocol
    isHTTP2 = check.type == .grpc || (check.type == .http && service.isHTTP2)
    negotiates = check.type == .http && service.negotiates
    if let port = check.port.flatMap(UInt16.init(exactly:)), let ip = address.ip {
      self.address = SocketAddress(ip, port: port)
    } else {
      self.address = address
    }
    self.loop = loop
    self.completion = completion
  }

  deinit { close() }

  func start() {
    timer = loop.after(UInt64(max(check.timeout.milliseconds, 1))) { [weak self] in
      guard let self, phase != .done else { return }
      // The loop may have been busy: what has come meanwhile counts.
      timer = nil
      advance()
      if phase != .done { finish(.timeout) }
    }
    switch Socket.connect(address) {
    case .connected(let connected), .inProgress(let connected): fd = connected
    case .failed(let error): return finish(.failure(SystemError(operation: "connect", errno: error).description))
    }
    do {
      try loop.add(fd, readable: true, writable: true) { [weak self] readiness in
        guard let self else { return }
        if phase == .connecting && !readiness.writable && !readiness.failed { return }
        advance()
      }
    } catch {
      finish(.failure("\(error)"))
    }
  }

  /// Ends it without an outcome.
  func cancel() {
    let completion = completion
    self.completion = nil
    close()
    completion?(.failure("cancelled"))
  }

  private func finish(_ outcome: Outcome) {
    close()
    guard let completion else { return }
    self.completion = nil
    // Not from within `start`: the caller has not kept the probe yet.
    loop.after(0) { completion(outcome) }
  }

  private func close() {
    phase = .done
    if let timer { loop.cancel(timer) }
    timer = nil
    session = nil
    Transport.end(&tls)
    if fd >= 0 {
      loop.remove(fd)
      Socket.close(fd)
      fd = -1
    }
  }

  // MARK: Progress

  private func advance() {
    if phase == .connecting {
      if !isConnected() || !introduce() { return }
      if let context {
        guard let session = TLSSession.client(fd, context) else { return finish(.failure("no memory for TLS")) }
        tls = session
        phase = .handshake
      } else {
        begin()
      }
    }
    if phase == .handshake, let tls {
      switch tls.handshake() {
      case .wantsRead: return wait(writable: false)
      case .wantsWrite: return wait(writable: true)
      case .failed: return finish(.failure(tls.failure.map { "\($0)" } ?? "TLS handshake failed"))
      case .done:
        if negotiates { isHTTP2 = tls.applicationProtocol == "h2" }
        begin()
      }
    }
    if phase == .exchange { exchange() }
  }

  /// Whether the connect has come to its end; a failed one ends the check.
  private func isConnected() -> Bool {
    var poll = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
    if Glibc.poll(&poll, 1, 0) <= 0 { return false }
    let error = Socket.takeError(fd)
    if error == 0 { return true }
    finish(.failure(SystemError(operation: "connect", errno: error).description))
    return false
  }

  /// Says that the connection is the proxy's own, where the endpoint expects to be told whose it is.
  /// - Returns: false when the check has ended.
  private func introduce() -> Bool {
    guard let proxyProtocol else { return true }
    let isSent = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ProxyProtocolHeader.maximumWrittenLength) {
      guard let base = $0.baseAddress else { return false }
      var w = ByteWriter(base, $0.count)
      ProxyProtocolHeader.writeLocal(proxyProtocol, into: &w)
      return Socket.send(fd, BytePointer(base), w.count).raw == w.count
    }
    if !isSent { finish(.failure("the endpoint closed the connection")) }
    return isSent
  }

  private func wait(writable: Bool) {
    do { try loop.update(fd, readable: true, writable: writable) } catch { finish(.failure("\(error)")) }
  }

  /// The connection stands.
  private func begin() {
    if check.type == .tcp { return finish(.success) }
    phase = .exchange
    let host = check.host ?? (address.unixPath == nil ? "\(address)" : "localhost")
    if isHTTP2 {
      do throws(HTTP2Failure) { session = try ProbeSession(check, host: host, isTLS: tls != nil) } catch {
        return finish(.failure("no memory for HTTP/2"))
      }
    } else {
      output = Array(
        "GET \(check.path) HTTP/1.1\r\nhost: \(host)\r\nuser-agent: weft-health-check\r\nconnection: close\r\n\r\n".utf8
      )
    }
  }

  private func exchange() {
    guard send(), phase == .exchange else { return }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16_384) { memory in
      guard let base = memory.baseAddress else { return finish(.failure("no memory")) }
      while phase == .exchange {
        let result = Transport.receive(fd, tls, base, 16_384)
        if result.raw <= 0 {
          if result.wouldBlock { return wait(writable: !output.isEmpty) }
          return finish(.failure("the connection ended before the answer"))
        }
        if !take(Bytes(base, result.raw)) { return }
        // What was received may have to be answered: settings, a window.
        if !send() { return }
      }
    }
  }

  /// Sends what there is to send.
  /// - Returns: false when the check has ended.
  private func send() -> Bool {
    if let session {
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: HTTP2Session.writeRoom) { memory in
        guard let base = memory.baseAddress else { return }
        while true {
          var w = ByteWriter(base, HTTP2Session.writeRoom)
          _ = session.write(into: &w)
          if w.count == 0 { break }
          output += w.bytes.array
        }
      }
    }
    while !output.isEmpty {
      let result = output.withUnsafeBufferPointer { bytes -> IOResult in
        guard let base = bytes.baseAddress else { return IOResult(raw: -Int(EINVAL)) }
        return Transport.send(fd, tls, base, bytes.count)
      }
      if result.wouldBlock {
        wait(writable: true)
        return phase == .exchange
      }
      // An endpoint may answer and close without reading on.
      if result.failed { output = [] } else { output.removeFirst(result.count) }
    }
    wait(writable: false)
    return phase == .exchange
  }

  /// - Returns: false when the check has ended.
  private func take(_ bytes: Bytes) -> Bool {
    if let session {
      let isFine = session.receive(bytes)
      if let outcome = session.outcome {
        finish(outcome)
        return false
      }
      if !isFine { finish(.failure("the endpoint does not speak HTTP/2")) }
      return isFine
    }
    input += bytes.array
    var head = MessageHead()
    let outcome = input.withUnsafeBufferPointer { b -> ParseOutcome in
      guard let base = b.baseAddress else { return .incomplete }
      return HTTP1Parser.parseResponse(base, b.count, to: .get, into: &head, limits: HTTPLimits())
    }
    switch outcome {
    case .incomplete:
      if input.count < Self.headLimit { return true }
      finish(.failure("the answer's head is too long"))
    case .malformed(let error): finish(.failure("\(error.message)"))
    case .complete(let length):
      if head.status < 200 && head.status != 101 {
        input.removeFirst(min(length, input.count))
        return input.isEmpty || take(Bytes())
      }
      finish(HealthProbe.judge(head.status, check))
    }
    return false
  }

  static func judge(_ status: Int, _ check: HealthCheckSettings) -> Outcome {
    check.expectedStatuses.contains { $0.contains(status) } ? .success : .failure("status \(status)")
  }
}
