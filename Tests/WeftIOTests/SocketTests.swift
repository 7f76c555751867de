import Glibc
import Testing

@testable import WeftIO

/// Waits until `fd` is ready for `events` (poll(2)); false after ten seconds.
func waitUntil(_ fd: Int32, _ events: Int32) -> Bool {
  var p = pollfd(fd: fd, events: Int16(events), revents: 0)
  return poll(&p, 1, 10_000) == 1
}

/// A connected pair of non-blocking sockets.
struct SocketPair: ~Copyable {
  var a: Int32 = -1
  var b: Int32 = -1
  init() {
    var fds: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutablePointer(to: &fds) { pointer in
      pointer.withMemoryRebound(to: Int32.self, capacity: 2) { socketpair(AF_UNIX, Socket.streamType, 0, $0) }
    }
    precondition(result == 0)
    a = fds.0
    b = fds.1
  }
  deinit {
    Socket.close(a)
    Socket.close(b)
  }
}

func temporaryPath(_ name: String) -> String { "/tmp/weft-\(getpid())-\(UInt32.random(in: 0 ... .max))-\(name)" }

struct SocketTests {
  /// Whatever the system's default is.
  @Test(arguments: [IPAddress("127.0.0.1"), IPAddress("::1")])
  func loopbackIsNotPaced(_ ip: IPAddress?) throws {
    let listener = try Socket.listen(SocketAddress(try #require(ip), port: 0))
    defer { Socket.close(listener) }
    let client: Int32
    switch Socket.connect(Socket.localAddress(listener)) {
    case .connected(let fd), .inProgress(let fd): client = fd
    case .failed(let error): throw SystemError(operation: "connect", errno: error)
    }
    defer { Socket.close(client) }
    let (accepted, _) = try #require(accept(listener))
    defer { Socket.close(accepted) }
    for fd in [client, accepted] {
      let name = Socket.congestionControl(fd)
      #expect(!name.isEmpty && !name.hasPrefix("bbr"), "\(name)")
    }
  }

  func accept(_ listener: Int32) -> (fd: Int32, peer: SocketAddress)? {
    var peer = SocketAddress()
    guard waitUntil(listener, POLLIN), case .connection(let fd) = Socket.accept(listener, peer: &peer) else {
      return nil
    }
    return (fd, peer)
  }

  func connect(_ address: SocketAddress) throws -> Int32 {
    switch Socket.connect(address) {
    case .connected(let fd): return fd
    case .inProgress(let fd):
      #expect(waitUntil(fd, POLLOUT))
      #expect(Socket.takeError(fd) == 0)
      return fd
    case .failed(let error): throw SystemError(operation: "connect", errno: error)
    }
  }

  @Test(arguments: ["127.0.0.1:0", "[::1]:0", ":0", "unix:@weft-test-\(getpid())", "unix:/tmp/weft-\(getpid()).sock"])
  func bytesCrossBothWays(text: String) throws {
    let wanted = try #require(SocketAddress(text))
    let listener = OwnedDescriptor(try Socket.listen(wanted))
    defer { if let path = wanted.unixPath { unlink(path) } }
    let bound = Socket.localAddress(listener.raw)
    let target = bound.ip?.isUnspecified == true ? SocketAddress(.loopbackV4, port: bound.port) : bound
    var peer = SocketAddress()
    #expect(Socket.accept(listener.raw, peer: &peer) == .wouldBlock)

    let client = OwnedDescriptor(try connect(target))
    let accepted = try #require(accept(listener.raw))
    let server = OwnedDescriptor(accepted.fd)
    if bound.family == .ip {
      #expect(accepted.peer == Socket.localAddress(client.raw))
      #expect(Socket.peerAddress(client.raw) == Socket.localAddress(server.raw))
      #expect(accepted.peer.ip?.isLoopback == true)
    } else {
      #expect(accepted.peer.family == .none)
      #expect(Socket.peerAddress(client.raw) == wanted)
    }

    var buffer = [UInt8](repeating: 0, count: 64)
    #expect(Socket.receive(server.raw, &buffer, 64).wouldBlock)
    #expect(Socket.send(client.raw, [1, 2, 3], 3).count == 3)
    #expect(waitUntil(server.raw, POLLIN))
    #expect(Socket.receive(server.raw, &buffer, 64).count == 3)
    #expect(buffer.prefix(3) == [1, 2, 3])

    var first: [UInt8] = [4, 5]
    var second: [UInt8] = [6]
    first.withUnsafeMutableBytes { f in
      second.withUnsafeMutableBytes { s in
        var vectors = [
          iovec(iov_base: f.baseAddress, iov_len: 2), iovec(iov_base: s.baseAddress, iov_len: 1),
        ]
        #expect(Socket.send(server.raw, vectors: &vectors, 2).count == 3)
      }
    }
    #expect(Socket.shutdownWrite(server.raw))
    #expect(waitUntil(client.raw, POLLIN))
    #expect(Socket.receive(client.raw, &buffer, 64).count == 3)
    #expect(buffer.prefix(3) == [4, 5, 6])
    #expect(waitUntil(client.raw, POLLIN))
    let end = Socket.receive(client.raw, &buffer, 64)
    #expect(end.isEnd && !end.failed && !end.wouldBlock && end.count == 0)
  }

  @Test func aWriteToAGonePeerFailsWithoutASignal() throws {
    var pair = SocketPair()
    Socket.closeOnce(&pair.b)
    let result = Socket.send(pair.a, [1], 1)
    #expect(result.failed && result.errno == EPIPE && result.count == 0)
  }

  @Test func aReset() throws {
    let listener = OwnedDescriptor(try Socket.listen(SocketAddress("127.0.0.1:0")!))
    let client = OwnedDescriptor(try connect(Socket.localAddress(listener.raw)))
    let (fd, _) = try #require(accept(listener.raw))
    Socket.resetOnClose(fd)
    Socket.close(fd)
    #expect(waitUntil(client.raw, POLLIN))
    var byte: UInt8 = 0
    #expect(Socket.receive(client.raw, &byte, 1).errno == ECONNRESET)
  }

  @Test func aRefusedConnect() throws {
    // A port that was free a moment ago.
    let port: UInt16
    do {
      let listener = OwnedDescriptor(try Socket.listen(SocketAddress("127.0.0.1:0")!))
      port = Socket.localAddress(listener.raw).port
    }
    switch Socket.connect(SocketAddress(.loopbackV4, port: port)) {
    case .connected(let fd):
      Socket.close(fd)
      Issue.record("connected to nobody")
    case .inProgress(let fd):
      #expect(waitUntil(fd, POLLOUT))
      #expect(Socket.takeError(fd) == ECONNREFUSED)
      Socket.close(fd)
    case .failed(let error): #expect(error == ECONNREFUSED)
    }
    #expect(Socket.connect(SocketAddress(unixPath: "/nonexistent/weft.sock")!) == .failed(ENOENT))
  }

  @Test func listenersInheritNoDelay() throws {
    let listener = OwnedDescriptor(try Socket.listen(SocketAddress("127.0.0.1:0")!))
    let client = OwnedDescriptor(try connect(Socket.localAddress(listener.raw)))
    let accepted = try #require(accept(listener.raw))
    let server = OwnedDescriptor(accepted.fd)
    for fd in [client.raw, server.raw] {
      var value: Int32 = 0
      var length = socklen_t(4)
      #expect(getsockopt(fd, 6, TCP_NODELAY, &value, &length) == 0)
      #expect(value != 0)
    }
    #expect(Socket.setKeepAlive(server.raw, idle: 60, interval: 10, count: 3))
    #expect(Socket.setReceiveBuffer(server.raw, bytes: 65_536) && Socket.setSendBuffer(server.raw, bytes: 65_536))
  }

  @Test func anAddressInUseIsExplained() throws {
    var options = ListenOptions()
    options.reusePort = false
    let first = OwnedDescriptor(try Socket.listen(SocketAddress("127.0.0.1:0")!, options))
    let address = Socket.localAddress(first.raw)
    let error = #expect(throws: SystemError.self) { try Socket.listen(address, options) }
    #expect(error?.errno == EADDRINUSE)
    let text = String(describing: try #require(error))
    #expect(text.hasPrefix("listen on \(address): Address already in use; "))
    #expect(text.contains("another port"))
  }

  @Test func workersShareAPort() throws {
    let first = OwnedDescriptor(try Socket.listen(SocketAddress("127.0.0.1:0")!))
    let second = OwnedDescriptor(try Socket.listen(Socket.localAddress(first.raw)))
    #expect(Socket.localAddress(first.raw) == Socket.localAddress(second.raw))
  }

  @Test func onlyIPv6WhenToldSo() throws {
    var options = ListenOptions()
    options.v6Only = true
    let listener = OwnedDescriptor(try Socket.listen(SocketAddress("[::]:0")!, options))
    let port = Socket.localAddress(listener.raw).port
    let client = OwnedDescriptor(try connect(SocketAddress(.loopbackV6, port: port)))
    #expect(client.raw >= 0)
    #expect(throws: SystemError.self) {
      switch Socket.connect(SocketAddress(.loopbackV4, port: port)) {
      case .connected(let fd):
        Socket.close(fd)
      case .inProgress(let fd):
        defer { Socket.close(fd) }
        #expect(waitUntil(fd, POLLOUT))
        let error = Socket.takeError(fd)
        if error != 0 { throw SystemError(operation: "connect", errno: error) }
      case .failed(let error): throw SystemError(operation: "connect", errno: error)
      }
    }
  }

  @Test func anAbandonedUnixSocketIsReplacedALiveOneIsNot() throws {
    let path = temporaryPath("stale.sock")
    defer { unlink(path) }
    let address = try #require(SocketAddress(unixPath: path))
    Socket.close(try Socket.listen(address))
    #expect(access(path, F_OK) == 0)
    var options = ListenOptions()
    options.unixMode = 0o600
    let live = OwnedDescriptor(try Socket.listen(address, options))
    var info = stat()
    #expect(lstat(path, &info) == 0)
    #expect(info.st_mode & 0o777 == 0o600)
    let error = #expect(throws: SystemError.self) { try Socket.listen(address) }
    #expect(error?.errno == EADDRINUSE)
    let client = OwnedDescriptor(try connect(address))
    #expect(client.raw >= 0 && live.raw >= 0)
  }

  @Test func aFileInTheWayIsNotRemoved() throws {
    let path = temporaryPath("file")
    defer { unlink(path) }
    Socket.close(open(path, O_CREAT | O_WRONLY, 0o600))
    let error = #expect(throws: SystemError.self) { try Socket.listen(SocketAddress(unixPath: path)!) }
    #expect(error?.errno == EADDRINUSE)
    #expect(access(path, F_OK) == 0)
  }

  @Test func closingTwiceClosesOnce() {
    var fd = open("/dev/null", O_RDONLY)
    let other = fd
    Socket.closeOnce(&fd)
    #expect(fd == -1)
    let reused = open("/dev/null", O_RDONLY)
    Socket.closeOnce(&fd)
    #expect(other >= 0)
    #expect(fcntl(reused, F_GETFD) >= 0)
    Socket.close(reused)
  }

  @Test func anErrorWithoutAdviceIsStillPlain() {
    #expect(SystemError(operation: "read", errno: EIO).description == "read: Input/output error")
    #expect(SystemError(operation: "x", errno: 9999).description.hasPrefix("x: "))
  }
}
