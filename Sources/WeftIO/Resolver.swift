import CAres
import Glibc

/// The addresses of a name.
public struct Resolution: Equatable, Sendable {
  /// Without duplicates, at least one, in the order of the answer.
  public var addresses: [IPAddress]
  /// Seconds for which the answer holds: the least of the records' TTLs. 0 when it comes from /etc/hosts or may not be
  /// cached; `UInt32.max` for literals and localhost, which never change.
  public var ttl: UInt32

  public init(addresses: [IPAddress], ttl: UInt32) {
    self.addresses = addresses
    self.ttl = ttl
  }
}

/// Which families of addresses to ask for.
public enum AddressFamilies: Sendable {
  case all, v4Only, v6Only
  /// The one family's addresses if there are any, else the other's.
  case v4Preferred, v6Preferred
}

/// Resolves names to addresses through c-ares: /etc/hosts, then the DNS servers of /etc/resolv.conf, over UDP and, where
/// an answer is truncated, TCP.
///
/// Belongs to the thread of one loop, which hosts it as a `LoopSource`; completions run there, from `process`, never
/// from `resolve`. It has an epoll instance of its own, so that the loop registers one descriptor for all its sockets.
public final class Resolver: LoopSource {
  public struct Options: Sendable {
    /// DNS servers to use instead of those of /etc/resolv.conf; a port of 0 means 53.
    public var servers: [SocketAddress] = []
    /// Search domains to use instead of those of /etc/resolv.conf.
    public var searchDomains: [String]?
    /// Milliseconds to wait for one server's first answer; c-ares doubles it for each further round.
    public var tryTimeout = 2_000
    /// Rounds through the servers.
    public var tries = 3
    /// Milliseconds after which a name is given up, whatever its servers and search domains; waiting in line counts.
    public var deadline: UInt64 = 15_000
    /// Names asked for at the same time.
    public var maximumInFlight = 64
    /// Names that may wait in line beyond that.
    public var maximumWaiting = 10_000

    public init() {}
  }

  /// Names a request, to cancel it.
  public struct Request: Hashable, Sendable { let number: UInt64 }

  public typealias Completion = (Result<Resolution, ResolveError>) -> Void

  private struct Query {
    let name: String
    let families: AddressFamilies
    let completion: Completion
  }

  private let options: Options
  private let channel: ResolverChannel
  private var queries: [UInt64: Query] = [:]
  /// In the order of their deadlines, since all have the same time: some may be gone already.
  private var deadlines = FIFO<(number: UInt64, at: UInt64)>()
  private var waiting = FIFO<UInt64>()
  private var lastNumber: UInt64 = 0

  /// - Throws: `SystemError` when the kernel or c-ares refuses.
  public init(_ options: Options = Options()) throws(SystemError) {
    self.options = options
    channel = try ResolverChannel(options)
  }

  /// Asks for the addresses of `name`: a host name, or the text of an IP address.
  /// - Parameter completion: called once, from a later `process`, unless cancelled or the resolver goes first.
  @discardableResult
  public func resolve(
    _ name: String, _ families: AddressFamilies = .all, completion: @escaping Completion
  ) -> Request {
    lastNumber &+= 1
    let number = lastNumber
    queries[number] = Query(name: name, families: families, completion: completion)
    if let result = immediate(name, families) {
      channel.finished.append((number, result))
    } else if channel.inFlight < options.maximumInFlight {
      deadlines.append((number, MonotonicTime.milliseconds() &+ options.deadline))
      channel.start(number, name, families)
    } else if waiting.count < options.maximumWaiting {
      deadlines.append((number, MonotonicTime.milliseconds() &+ options.deadline))
      waiting.append(number)
    } else {
      channel.finished.append((number, .failure(error(name, .overloaded))))
    }
    return Request(number: number)
  }

  /// Forgets `request`: its completion is not called any more.
  public func cancel(_ request: Request) { queries[request.number] = nil }

  /// Names that are neither resolved nor cancelled.
  public var pending: Int { queries.count }

  // MARK: LoopSource

  public var descriptor: Int32 { channel.reactor.descriptor }

  public func nextDeadline(now: UInt64) -> UInt64? {
    if !channel.finished.isEmpty { return now }
    let expiry = deadlines.first?.at
    guard let next = channel.timeout() else { return expiry }
    return min(now &+ next, expiry ?? .max)
  }

  public func process(now: UInt64) {
    channel.process()
    while let first = deadlines.first, first.at <= now || queries[first.number] == nil {
      deadlines.removeFirst()
      if let query = queries[first.number] {
        channel.finished.append((first.number, .failure(error(query.name, .timeout))))
      }
    }
    while channel.inFlight < options.maximumInFlight, let number = waiting.first {
      waiting.removeFirst()
      if let query = queries[number] { channel.start(number, query.name, query.families) }
    }
    // Completions come last, when c-ares is not on the stack: they may do what they like.
    let finished = channel.finished
    channel.finished = []
    for (number, result) in finished {
      guard let query = queries.removeValue(forKey: number) else { continue }
      query.completion(result)
    }
  }

  // MARK: Names that need no server

  private func immediate(_ name: String, _ families: AddressFamilies) -> Result<Resolution, ResolveError>? {
    if let literal = IPAddress(name) { return answer(name, [literal], families) }
    let utf8 = Array(name.utf8)
    let isAbsolute = utf8.last == 0x2e
    let bare = isAbsolute ? utf8.dropLast() : utf8[...]
    let labels = bare.split(separator: 0x2e, omittingEmptySubsequences: false)
    // RFC 1035 2.3.4: labels of 1 to 63 bytes, 253 bytes of text in all.
    let isName =
      bare.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.count)
          && label.allSatisfy { byte in
            asciiLower(byte) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2d || byte == 0x5f
          }
      }
    if !isName { return .failure(error(name, .invalidName)) }
    // RFC 6761 6.3: localhost and what is below it is the loopback interface and no business of a server's.
    if let last = labels.last, last.map(asciiLower).elementsEqual("localhost".utf8) {
      return answer(name, hasIPv6Loopback ? [.loopbackV4, .loopbackV6] : [.loopbackV4], families)
    }
    return nil
  }

  private func answer(
    _ name: String, _ addresses: [IPAddress], _ families: AddressFamilies
  ) -> Result<Resolution, ResolveError> {
    let chosen = families.choose(addresses)
    return chosen.isEmpty
      ? .failure(error(name, .noAddress)) : .success(Resolution(addresses: chosen, ttl: .max))
  }

  private func error(_ name: String, _ reason: ResolveError.Reason) -> ResolveError {
    ResolveError(name, reason, servers: channel.servers)
  }

  /// Whether this machine has `::1`, which containers without IPv6 lack.
  private let hasIPv6Loopback: Bool = {
    let raw = socket(AF_INET6, 2, 0)  // SOCK_DGRAM
    if raw < 0 { return false }
    let fd = OwnedDescriptor(raw)
    return SocketAddress(.loopbackV6, port: 0).withSockaddr { bind(fd.raw, $0, $1) == 0 }
  }()
}

extension AddressFamilies {
  /// The addresses that were asked for, without duplicates.
  func choose(_ addresses: [IPAddress]) -> [IPAddress] {
    var seen: Set<IPAddress> = []
    let unique = addresses.filter { seen.insert($0).inserted }
    let v4 = unique.filter(\.isV4)
    let v6 = unique.filter { !$0.isV4 }
    switch self {
    case .all: return unique
    case .v4Only: return v4
    case .v6Only: return v6
    case .v4Preferred: return v4.isEmpty ? v6 : v4
    case .v6Preferred: return v6.isEmpty ? v4 : v6
    }
  }
}
