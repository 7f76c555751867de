import Glibc

/// A DNS server on a port of its own, which answers for the names that it is given (RFC 1035).
final class DNSServer: @unchecked Sendable {
  /// What is said about a name.
  enum Answer: Sendable {
    /// IPv4 addresses, and the seconds that they hold.
    case addresses([String], ttl: UInt32)
    /// SERVFAIL.
    case failure
    /// NXDOMAIN.
    case unknown
    case silence
  }

  let port: Int
  private let fd: Int32
  private let answers: Locked<[String: Answer]>
  private let asked = Locked<[String: Int]>([:])

  init(_ answers: [String: Answer] = [:]) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if descriptor < 0 { throw SocketFault.failed("socket", errno) }
    if SocketEndpoint.port(0).withAddress({ bind(descriptor, $0, $1) }) != 0 {
      throw SocketFault.failed("bind", errno)
    }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutableBytes(of: &address) {
      getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, &length)
    }
    fd = descriptor
    port = Int(in_port_t(bigEndian: address.sin_port))
    let table = Locked(answers)
    self.answers = table
    let counts = asked
    BackgroundThread.start { DNSServer.serve(descriptor, table, counts) }
  }

  deinit {
    shutdown(fd, Int32(SHUT_RDWR))
    close(fd)
  }

  /// Changes what is said about a name from now on.
  func set(_ name: String, _ answer: Answer) { answers.withLock { $0[name] = answer } }

  /// How often a name's IPv4 addresses have been asked for.
  func count(_ name: String) -> Int { asked.withLock { $0[name] ?? 0 } }

  private static func serve(_ fd: Int32, _ answers: Locked<[String: Answer]>, _ asked: Locked<[String: Int]>) {
    var buffer = [UInt8](repeating: 0, count: 1500)
    while true {
      var peer = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let n = withUnsafeMutableBytes(of: &peer) { raw in
        recvfrom(fd, &buffer, buffer.count, 0, raw.assumingMemoryBound(to: sockaddr.self).baseAddress, &length)
      }
      if n == 0 || n < 0 && errno != EINTR { return }
      guard n > 16, let reply = reply(to: Array(buffer[..<n]), answers, asked) else { continue }
      _ = withUnsafeMutableBytes(of: &peer) { raw in
        sendto(fd, reply, reply.count, 0, raw.assumingMemoryBound(to: sockaddr.self).baseAddress, length)
      }
    }
  }

  private static func reply(
    to query: [UInt8], _ answers: Locked<[String: Answer]>, _ asked: Locked<[String: Int]>
  ) -> [UInt8]? {
    var at = 12
    var labels: [String] = []
    while at < query.count, query[at] != 0 {
      let end = at + 1 + Int(query[at])
      if end >= query.count { return nil }
      labels.append(String(decoding: query[(at + 1)..<end], as: UTF8.self))
      at = end
    }
    guard at + 5 <= query.count else { return nil }
    let isIPv4 = query[at + 1] == 0 && query[at + 2] == 1
    let name = labels.joined(separator: ".").lowercased()
    if isIPv4 { asked.withLock { $0[name, default: 0] += 1 } }
    var records: [UInt8] = []
    var count: UInt8 = 0
    var code: UInt8 = 0
    switch answers.withLock({ $0[name] }) ?? .unknown {
    case .silence: return nil
    case .failure: code = 2
    case .unknown: code = 3
    case .addresses(let addresses, let ttl):
      for address in addresses where isIPv4 {
        // The name by a pointer to the question; A, IN; the time to live; four bytes.
        records += [0xc0, 12, 0, 1, 0, 1]
        records += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ttl >> $0) }
        records += [0, 4] + address.split(separator: ".").map { UInt8($0) ?? 0 }
        count += 1
      }
    }
    // The query's number; a response, recursion available; one question.
    return query[..<2] + [0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0] + query[12..<(at + 5)] + records
  }
}
