import Logging
import WeftConfig
import WeftIO

/// How often a name is looked up again: when its time to live is over, within these bounds, in milliseconds.
struct NameRefresh: Sendable {
  var shortest: UInt64 = 1_000
  var longest: UInt64 = 300_000

  init() {}

  init(_ settings: TrafficSettings.DNS) {
    shortest = UInt64(max(settings.minRefresh.milliseconds, 1))
    longest = max(UInt64(max(settings.maxRefresh.milliseconds, 1)), shortest)
  }

  /// For a name that several services use: as often as the most eager of them wants.
  func merged(with other: NameRefresh) -> NameRefresh {
    var both = self
    both.shortest = min(shortest, other.shortest)
    both.longest = min(longest, other.longest)
    return both
  }

  func bound(ttl seconds: UInt32) -> UInt64 { min(max(UInt64(seconds) * 1_000, shortest), longest) }
}

/// The addresses of endpoints that are given by name, looked up again when their time to live is over.
final class NameTable {
  private let loop: EventLoop
  private var resolver: Resolver
  private var servers: [SocketAddress] = []
  private let log: Logger
  private let status: StatusMetrics
  private let onChange: ([String: [IPAddress]]) -> Void
  private var wanted: [String: NameRefresh] = [:]
  private var pending: Set<String> = []
  private(set) var addresses: [String: [IPAddress]] = [:]
  private var failures: [String: Int] = [:]
  /// When each name is looked up again.
  private var timers: [String: EventLoop.TimerID] = [:]

  /// Milliseconds to the next try after a failure, doubling up to 30 s.
  private static let retry: UInt64 = 1_000

  init(
    loop: EventLoop, log: Logger, status: StatusMetrics, onChange: @escaping ([String: [IPAddress]]) -> Void
  ) throws {
    self.loop = loop
    self.log = log
    self.status = status
    self.onChange = onChange
    resolver = try Resolver()
    try loop.host(resolver)
  }

  /// Names that the present configuration mentions, and the servers to ask; other names are forgotten.
  /// - Parameter servers: empty: those of /etc/resolv.conf.
  func want(_ names: [String: NameRefresh], servers: [SocketAddress]) {
    ask(servers)
    wanted = names
    for (name, timer) in timers where names[name] == nil {
      loop.cancel(timer)
      timers[name] = nil
    }
    addresses = addresses.filter { names[$0.key] != nil }
    // Who reloads wants to hear of what still fails, and not to wait long for its next try.
    failures = failures.filter { names[$0.key] != nil }.mapValues { _ in 0 }
    for name in names.keys where addresses[name] == nil { lookUp(name) }
  }

  /// The addresses of DNS servers, in a form that has been validated.
  static func servers(_ settings: ProxyResource.DNS?) -> [SocketAddress] {
    (settings?.servers ?? []).compactMap { text in
      var text = text
      return text.withUTF8 { $0.bytes.flatMap { SocketAddress(ip: $0, defaultPort: 53) } }
    }
  }

  /// Lookups under way at other servers are given up, and all names looked up anew.
  private func ask(_ servers: [SocketAddress]) {
    if servers == self.servers { return }
    var options = Resolver.Options()
    options.servers = servers
    do {
      let new = try Resolver(options)
      try loop.host(new)
      loop.unhost(resolver)
      resolver = new
      self.servers = servers
    } catch {
      log.error("cannot use the DNS servers \(servers.map(\.description).joined(separator: ", ")): \(error)")
      return
    }
    pending = []
    for name in wanted.keys { lookUp(name) }
  }

  /// Whether every name has been looked up at least once.
  var isComplete: Bool { wanted.keys.allSatisfy { addresses[$0] != nil || failures[$0] != nil } }

  private func lookUp(_ name: String) {
    if pending.contains(name) || wanted[name] == nil { return }
    pending.insert(name)
    _ = resolver.resolve(name) { [weak self] result in self?.answered(name, result) }
  }

  private func answered(_ name: String, _ result: Result<Resolution, ResolveError>) {
    pending.remove(name)
    guard let refresh = wanted[name] else { return }
    switch result {
    case .success(let resolution):
      status.lookedUp("success")
      failures[name] = nil
      let sorted = resolution.addresses.sorted { $0.description < $1.description }
      if addresses[name] != sorted {
        addresses[name] = sorted
        log.info("\(name) resolves to \(sorted.map(\.description).joined(separator: ", "))")
        onChange(addresses)
      }
      again(name, refresh.bound(ttl: resolution.ttl))
    case .failure(let error):
      status.lookedUp(error.reason == .timeout ? "timeout" : "failure")
      // What was known stays in use: an address that still answers beats none.
      let count = failures[name, default: 0]
      failures[name] = count + 1
      if count == 0 { log.warning("cannot resolve \(name): \(error)") }
      again(name, min(Self.retry << UInt64(min(count, 8)), 30_000))
    }
  }

  private func again(_ name: String, _ milliseconds: UInt64) {
    // A reload may have looked the name up in between.
    if let timer = timers[name] { loop.cancel(timer) }
    timers[name] = loop.after(milliseconds) { [weak self] in
      self?.timers[name] = nil
      self?.lookUp(name)
    }
  }
}
