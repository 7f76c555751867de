import Glibc
import WeftIO

/// A DNS server on 127.0.0.1, UDP and TCP on one port, that answers as a test says.
final class DNSServer: Sendable {
  enum Record: Sendable {
    case a(String, ttl: UInt32)
    case aaaa(String, ttl: UInt32)
    /// An alias, and what follows belongs to it.
    case cname(String, ttl: UInt32)
  }

  enum Reply: Sendable {
    case records([Record])
    /// A response code without records: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    case code(UInt8)
    case silence
    /// Truncated over UDP, these records over TCP.
    case truncated([Record])
    /// These bytes after the question's ID.
    case garbage([UInt8])
    /// First answers that do not belong to the question, then these records.
    case forged([Record])
  }

  struct Question: Sendable {
    let name: String
    /// 1 A, 28 AAAA.
    let type: UInt16
    let overTCP: Bool
  }

  let address: SocketAddress
  private let quit: OwnedDescriptor
  private let thread: EventLoopThread
  private let asked: Asked

  /// Everything that has been asked so far.
  var questions: [Question] { asked.all.withLock { $0 } }

  /// Waits until so many questions have come, ten seconds at the most.
  func hasBeenAsked(_ count: Int) -> Bool {
    for _ in 0..<10_000 where questions.count < count { usleep(1_000) }
    return questions.count >= count
  }

  init(reply: @escaping @Sendable (Question) -> Reply) throws {
    // TCP first: whichever port it gets, UDP takes the same, and tries again should that one be taken.
    var found: (udp: Int32, tcp: Int32, address: SocketAddress)?
    for _ in 0..<100 where found == nil {
      let tcp = try Socket.listen(SocketAddress("127.0.0.1:0")!)
      let address = Socket.localAddress(tcp)
      let udp = socket(AF_INET, 2, 0)
      if address.withSockaddr({ bind(udp, $0, $1) }) == 0 {
        found = (udp, tcp, address)
      } else {
        Socket.close(udp)
        Socket.close(tcp)
      }
    }
    guard let found else { throw SystemError(operation: "find a free port", errno: EADDRINUSE) }
    address = found.address
    var pipes: [Int32] = [-1, -1]
    guard pipe(&pipes) == 0 else { throw SystemError(operation: "pipe", errno: errno) }
    quit = OwnedDescriptor(pipes[1])
    let stop = pipes[0]
    let asked = Asked()
    self.asked = asked
    thread = try EventLoopThread(name: "dns") {
      serve(udp: found.udp, tcp: found.tcp, stop: stop) { question in
        asked.all.withLock { $0.append(question) }
        return reply(question)
      }
    }
  }

  private final class Asked: Sendable { let all = Locked<[Question]>([]) }

  deinit {
    var byte: UInt8 = 0
    _ = write(quit.raw, &byte, 1)
    thread.join()
  }
}

private func serve(udp: Int32, tcp: Int32, stop: Int32, reply: (DNSServer.Question) -> DNSServer.Reply) {
  defer { for fd in [udp, tcp, stop] { Socket.close(fd) } }
  var buffer = [UInt8](repeating: 0, count: 4096)
  var clients: [Int32] = []
  defer { for fd in clients { Socket.close(fd) } }
  while true {
    var polled = ([stop, udp, tcp] + clients).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    if poll(&polled, UInt(polled.count), -1) < 0 { continue }
    if polled[0].revents != 0 { return }
    if polled[1].revents != 0 {
      var peer = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let n = withUnsafeMutablePointer(to: &peer) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(udp, &buffer, 4096, 0, $0, &length) }
      }
      for answer in answers(Array(buffer.prefix(max(n, 0))), overTCP: false, reply) {
        _ = SocketAddress(peer, length: length).withSockaddr { sendto(udp, answer, answer.count, 0, $0, $1) }
      }
    }
    if polled[2].revents != 0 {
      var peer = SocketAddress()
      if case .connection(let fd) = Socket.accept(tcp, peer: &peer) { clients.append(fd) }
    }
    for p in polled.dropFirst(3) where p.revents != 0 {
      let n = Socket.receive(p.fd, &buffer, 4096)
      if n.succeeded {
        for answer in answers(Array(buffer[2..<max(n.count, 2)]), overTCP: true, reply) {
          let framed = [UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
          _ = Socket.send(p.fd, framed, framed.count)
        }
      } else if !n.wouldBlock {
        Socket.close(p.fd)
        clients.removeAll { $0 == p.fd }
      }
    }
  }
}

/// The messages to send for one query (RFC 1035 4.1).
private func answers(
  _ query: [UInt8], overTCP: Bool, _ reply: (DNSServer.Question) -> DNSServer.Reply
) -> [[UInt8]] {
  guard query.count > 12 else { return [] }
  var labels: [String] = []
  var i = 12
  while i < query.count, query[i] != 0, i + 1 + Int(query[i]) <= query.count {
    labels.append(String(decoding: query[(i + 1)..<(i + 1 + Int(query[i]))], as: UTF8.self))
    i += 1 + Int(query[i])
  }
  guard i + 5 <= query.count else { return [] }
  let type = UInt16(query[i + 1]) << 8 | UInt16(query[i + 2])
  let question = DNSServer.Question(name: labels.joined(separator: "."), type: type, overTCP: overTCP)
  let section = Array(query[12..<(i + 5)])

  func message(
    _ records: [DNSServer.Record] = [], code: UInt8 = 0, truncated: Bool = false, id: [UInt8]? = nil
  ) -> [UInt8] {
    var body: [UInt8] = []
    var count: UInt8 = 0
    // A pointer to the question's name; after an alias, to the alias's target.
    var owner: [UInt8] = [0xc0, 12]
    for record in records {
      let (recordType, ttl, data): (UInt16, UInt32, [UInt8])
      switch record {
      case .a(let text, let seconds) where type == 1:
        (recordType, ttl, data) = (1, seconds, text.split(separator: ".").compactMap { UInt8($0) })
      case .aaaa(let text, let seconds) where type == 28:
        let ip = IPAddress(text)!
        (recordType, ttl) = (28, seconds)
        data = [ip.high, ip.low].flatMap { half in
          (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
      case .cname(let target, let seconds):
        (recordType, ttl) = (5, seconds)
        data = target.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
      default: continue
      }
      body += owner + [UInt8(recordType >> 8), UInt8(recordType & 255), 0, 1]
      body += (0..<4).map { UInt8(truncatingIfNeeded: ttl >> UInt32(24 - 8 * $0)) }
      body += [UInt8(data.count >> 8), UInt8(data.count & 255)] + data
      if recordType == 5 { owner = data }
      count += 1
    }
    return (id ?? Array(query[0..<2])) + [truncated ? 0x86 : 0x84, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0] + section
      + body
  }

  switch reply(question) {
  case .records(let records): return [message(records)]
  case .code(let code): return [message(code: code)]
  case .silence: return []
  case .truncated(let records): return [overTCP ? message(records) : message(truncated: true)]
  case .garbage(let bytes): return [Array(query[0..<2]) + bytes]
  case .forged(let records):
    let wrong = [query[0] ^ 0xff, query[1]]
    return [message([.a("6.6.6.6", ttl: 1), .aaaa("6::6", ttl: 1)], id: wrong), [], [1], message(records)]
  }
}
