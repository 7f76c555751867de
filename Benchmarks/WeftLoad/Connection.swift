import Glibc
import WeftIO

/// One connection of a load: what was received and not used, what has yet to be sent.
struct Connection {
  let descriptor: Int32
  private(set) var received: [UInt8] = []
  private var unsent: [UInt8] = []
  /// When what is under way should have been sent, in nanoseconds; nil: nothing is under way.
  var due: UInt64?

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Connects, waiting for it.
  static func open(_ address: SocketAddress) throws -> Connection {
    switch Socket.connect(address) {
    case .connected(let fd): return Connection(fd)
    case .inProgress(let fd):
      var wait = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
      guard poll(&wait, 1, 10_000) == 1 else { throw LoadError("no connection to \(address) within 10 s") }
      let error = Socket.takeError(fd)
      guard error == 0 else { throw LoadError("no connection to \(address): \(String(cString: strerror(error)))") }
      return Connection(fd)
    case .failed(let error):
      throw LoadError("no connection to \(address): \(String(cString: strerror(error)))")
    }
  }

  /// Sends, and keeps what the socket does not take.
  mutating func send(_ bytes: [UInt8]) throws {
    if !unsent.isEmpty {
      unsent += bytes
      return
    }
    let result = bytes.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { Socket.send(descriptor, $0, buffer.count) } ?? IOResult(raw: 0)
    }
    if result.failed { throw LoadError("sending failed: \(String(cString: strerror(result.errno)))") }
    if result.count < bytes.count { unsent = Array(bytes[result.count...]) }
  }

  mutating func flush() throws {
    if unsent.isEmpty { return }
    let rest = unsent
    unsent = []
    try send(rest)
  }

  /// Receives all there is.
  mutating func receive(_ scratch: UnsafeMutableBufferPointer<UInt8>) throws {
    guard let base = scratch.baseAddress else { return }
    while true {
      let result = Socket.receive(descriptor, base, scratch.count)
      if result.wouldBlock { return }
      guard result.succeeded else { throw LoadError("a connection was closed") }
      received.append(contentsOf: scratch[0..<result.count])
      if result.count < scratch.count { return }
    }
  }

  mutating func consume(_ count: Int) {
    if count == received.count { received.removeAll(keepingCapacity: true) } else { received.removeFirst(count) }
  }
}

struct LoadError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
