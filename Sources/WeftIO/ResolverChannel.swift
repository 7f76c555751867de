import CAres
import Glibc

/// A c-ares channel, its sockets' registrations and the answers that have come.
///
/// c-ares calls back into it, also while it is being destroyed, so it knows nothing of the `Resolver`.
final class ResolverChannel {
  /// Answers nobody has been told yet.
  var finished: [(number: UInt64, result: Result<Resolution, ResolveError>)] = []
  /// Names c-ares is busy with, cancelled ones among them.
  private(set) var inFlight = 0
  let servers: String
  fileprivate let sockets: Sockets
  private let channel: ares_channel

  var reactor: Reactor { _read { yield sockets.reactor } }

  /// The registrations, apart, because c-ares closes sockets, and says so, while the channel goes.
  fileprivate final class Sockets {
    let reactor: Reactor
    init() throws(SystemError) { reactor = try Reactor(batch: 16) }
  }

  /// Records that an answer may have, beyond which they are ignored.
  private static let addressLimit = 1_024

  /// ares_library_init(3) is not safe with several threads, but this is.
  private static let isLibraryReady = ares_library_init(Int32(ARES_LIB_INIT_ALL)) == ARES_SUCCESS

  init(_ options: Resolver.Options) throws(SystemError) {
    if !ResolverChannel.isLibraryReady { throw SystemError(operation: "ares_library_init", errno: ENOMEM) }
    sockets = try Sockets()

    var settings = ares_options()
    settings.timeout = Int32(clamping: max(options.tryTimeout, 1))
    settings.tries = Int32(clamping: max(options.tries, 1))
    settings.sock_state_cb = { data, fd, readable, writable in
      guard let data else { return }
      let sockets = Unmanaged<Sockets>.fromOpaque(data).takeUnretainedValue()
      sockets.setInterest(fd, readable: readable != 0, writable: writable != 0)
    }
    settings.sock_state_cb_data = Unmanaged.passUnretained(sockets).toOpaque()
    var mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS
    // c-ares copies the texts.
    let lookups = strdup("fb")
    settings.lookups = lookups
    defer { free(lookups) }
    var domains = (options.searchDomains ?? []).map { strdup($0) }
    defer { for domain in domains { free(domain) } }
    if options.searchDomains != nil { mask |= ARES_OPT_DOMAINS }

    var created: ares_channel?
    let status = domains.withUnsafeMutableBufferPointer { pointers in
      settings.domains = pointers.baseAddress
      settings.ndomains = Int32(clamping: pointers.count)
      return ares_init_options(&created, &settings, mask)
    }
    guard status == 0, let created else { throw ResolverChannel.failure("ares_init_options", status) }
    channel = created
    if options.servers.isEmpty {
      servers = ResolverChannel.describe(created)
    } else {
      // c-ares reads an IPv4 address, or an IPv6 address in brackets, with a port.
      servers = options.servers.map { ($0.port == 0 ? $0.withPort(53) : $0).description }.joined(separator: ",")
      let result = ares_set_servers_ports_csv(created, servers)
      if result != 0 {
        ares_destroy(created)
        throw ResolverChannel.failure("use the DNS servers \(servers)", result)
      }
    }
  }

  /// Destroying the channel ends all queries; nobody is told.
  deinit { ares_destroy(channel) }

  /// Starts to resolve `name`, which ends up in `finished`, maybe at once.
  func start(_ number: UInt64, _ name: String, _ families: AddressFamilies) {
    var hints = ares_addrinfo_hints()
    switch families {
    case .all, .v4Preferred, .v6Preferred: hints.ai_family = AF_UNSPEC
    case .v4Only: hints.ai_family = AF_INET
    case .v6Only: hints.ai_family = AF_INET6
    }
    hints.ai_socktype = 1  // SOCK_STREAM: one entry an address, not one a protocol
    // Sorting by reachability opens a socket an address; load balancing has its own order.
    hints.ai_flags = Int32(ARES_AI_NOSORT)
    inFlight += 1
    let query = Query(number: number, name: name, families: families, channel: self)
    ares_getaddrinfo(
      channel, name, nil, &hints,
      { argument, status, _, info in
        defer { if let info { ares_freeaddrinfo(info) } }
        guard let argument else { return }
        let query = Unmanaged<Query>.fromOpaque(argument).takeRetainedValue()
        // While the channel goes there is nobody left to tell.
        if status == ARES_EDESTRUCTION { return }
        query.channel.finish(query, status, info)
      }, Unmanaged.passRetained(query).toOpaque())
  }

  /// Lets c-ares read, write and give up what has timed out.
  func process() {
    let count = sockets.reactor.wait(milliseconds: 0)
    for i in 0..<count {
      let fd = Int32(sockets.reactor.token(i).slot)
      let readiness = sockets.reactor.readiness(i)
      ares_process_fd(
        channel, readiness.readable ? fd : ARES_SOCKET_BAD, readiness.writable ? fd : ARES_SOCKET_BAD)
    }
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD)
  }

  /// Milliseconds until c-ares wants to give something up; nil when it waits for nothing.
  func timeout() -> UInt64? {
    var time = timeval()
    guard ares_timeout(channel, nil, &time) != nil else { return nil }
    // Rounded up: too early would be once more around the loop for nothing.
    return UInt64(max(time.tv_sec, 0)) &* 1_000 &+ (UInt64(max(time.tv_usec, 0)) &+ 999) / 1_000
  }

  private final class Query {
    let number: UInt64
    let name: String
    let families: AddressFamilies
    /// It outlives its queries, except while it is destroyed.
    unowned let channel: ResolverChannel

    init(number: UInt64, name: String, families: AddressFamilies, channel: ResolverChannel) {
      self.number = number
      self.name = name
      self.families = families
      self.channel = channel
    }
  }

  private func finish(_ query: Query, _ status: Int32, _ info: UnsafeMutablePointer<ares_addrinfo>?) {
    inFlight -= 1
    var addresses: [IPAddress] = []
    var ttl = UInt32(Int32.max)
    if status == 0 {
      var node = info?.pointee.nodes
      while let current = node, addresses.count < ResolverChannel.addressLimit {
        if let address = ResolverChannel.address(current.pointee) { addresses.append(address) }
        ttl = min(ttl, UInt32(clamping: current.pointee.ai_ttl))
        node = current.pointee.ai_next
      }
      var alias = info?.pointee.cnames
      while let current = alias {
        ttl = min(ttl, UInt32(clamping: current.pointee.ttl))
        alias = current.pointee.next
      }
    }
    let chosen = query.families.choose(addresses)
    finished.append(
      (
        query.number,
        chosen.isEmpty
          ? .failure(ResolveError(query.name, ResolverChannel.reason(status), servers: servers))
          : .success(Resolution(addresses: chosen, ttl: ttl))
      ))
  }

  private static func address(_ node: ares_addrinfo_node) -> IPAddress? {
    guard let address = node.ai_addr else { return nil }
    var storage = sockaddr_storage()
    let length = min(Int(node.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
    memcpy(&storage, address, length)
    return SocketAddress(storage, length: socklen_t(length)).ip
  }

  private static func reason(_ status: Int32) -> ResolveError.Reason {
    switch status {
    case 0, ARES_ENODATA: return .noAddress
    case ARES_ENOTFOUND, ARES_ENONAME: return .notFound
    case ARES_ETIMEOUT: return .timeout
    case ARES_EBADNAME: return .invalidName
    // c-ares's word for a last server that could not be reached, and for one that answered SERVFAIL or REFUSED.
    case ARES_ECONNREFUSED: return .server("no server could be reached, or each failed or refused")
    default: return .server(String(cString: ares_strerror(status)))
    }
  }

  private static func failure(_ operation: String, _ status: Int32) -> SystemError {
    SystemError(
      operation: "\(operation): \(String(cString: ares_strerror(status)))",
      errno: status == ARES_ENOMEM ? ENOMEM : EINVAL)
  }

  /// The servers that c-ares found in /etc/resolv.conf.
  private static func describe(_ channel: ares_channel) -> String {
    var list: UnsafeMutablePointer<ares_addr_port_node>?
    guard ares_get_servers_ports(channel, &list) == 0 else { return "" }
    defer { ares_free_data(list) }
    var texts: [String] = []
    var node = list
    while let current = node {
      var server = current.pointee
      let ip: IPAddress =
        server.family == AF_INET
        ? IPAddress(v4: UInt32(bigEndian: server.addr.addr4.s_addr))
        : withUnsafeBytes(of: &server.addr) { raw in IPAddress(raw.loadUnaligned(as: in6_addr.self)) }
      texts.append(ip.description)
      node = server.next
    }
    return texts.joined(separator: ", ")
  }
}

extension ResolverChannel.Sockets {
  fileprivate func setInterest(_ fd: Int32, readable: Bool, writable: Bool) {
    let token = Token(kind: 0, slot: Int(fd), generation: 0)
    if !readable && !writable {
      reactor.remove(fd)
      return
    }
    do {
      try reactor.update(fd, token, readable: readable, writable: writable)
    } catch  where error.errno == ENOENT {
      // A failure leaves the query to its time-out.
      try? reactor.addLevelTriggered(fd, token, writable: writable)
    } catch {}
  }
}
