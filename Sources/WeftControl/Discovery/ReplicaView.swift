import Foundation
import Logging
import WeftStore

/// The proxies of all replicas, whichever is asked. Each replica writes what it knows of its proxies into the store, in
/// parts, under a lease: when it dies, its part of the view goes with it. With one control plane there is nothing to
/// share, and nothing is written.
actor ReplicaView: MeshStatus {
  enum Limits {
    /// Proxies in one entry: some 100 KB.
    static let part = 200
    /// Entries that are read: as many proxies as 20 replicas may hold.
    static let parts = 2_000
    /// Rejections of a proxy that others are told of, and bytes of each message.
    static let rejections = 20
    static let messageBytes = 500
    /// Bundles of a proxy that others are told of.
    static let bundles = 50
  }

  struct Options: Sendable {
    /// Whether there are other replicas.
    var isShared = false
    /// How often what has changed is written.
    var interval = Duration.seconds(2)
    /// Seconds after which a replica that is dead is forgotten.
    var ttl = 15
    /// How long what was read of others is shown again without reading anew.
    var memory = Duration.seconds(1)
  }

  static let prefix = "/control/replicas/"

  private let hub: DiscoveryHub
  private let store: any Store
  /// Of this process: replicas on one machine may have the same name.
  private let place: String
  private let options: Options
  private let log: Logger
  private var written: [Int: [ProxyStatus]] = [:]
  private var lease: LeaseID = 0
  private var known: (at: ContinuousClock.Instant, proxies: [ProxyStatus])?

  init(_ hub: DiscoveryHub, _ store: any Store, replica: String, options: Options, log: Logger) {
    self.hub = hub
    self.store = store
    // A replica's name may have any character; the store's keys may not.
    let name = replica.utf8.map { byte -> String in
      let isPlain = (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte)
      return isPlain || byte == 0x2d || byte == 0x2e ? String(UnicodeScalar(byte)) : "_\(String(byte, radix: 16))"
    }
    place = "\(Self.prefix)\(name.joined().prefix(200))-\(UUID().uuidString.prefix(8).lowercased())/"
    self.options = options
    self.log = log
  }

  // MARK: Writing

  /// Tells the others until it is cancelled.
  func run() async {
    guard options.isShared else {
      // Not to end: the control plane ends with the first of its services.
      while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
      return
    }
    var lastProblem = ""
    while !Task.isCancelled {
      do {
        try await write()
        lastProblem = ""
      } catch {
        let problem = "\(error)"
        if problem != lastProblem { log.warning("other replicas cannot be told of proxies, tried again: \(problem)") }
        lastProblem = problem
      }
      do { try await Task.sleep(for: options.interval) } catch { break }
    }
    if lease != 0 { try? await store.revoke(lease) }
  }

  func write() async throws(StoreError) {
    if lease == 0 {
      lease = try await store.grantLease(ttl: options.ttl)
      written = [:]
    } else {
      do throws(StoreError) { try await store.keepAlive(lease) } catch {
        guard case .leaseNotFound = error else { throw error }
        lease = 0
        return try await write()
      }
    }
    let parts = Self.parts(await hub.proxies())
    for (number, proxies) in parts where written[number] != proxies {
      guard let value = Self.encode(proxies) else { continue }
      try await store.commit(Transaction([.put(key(number), value, lease: lease)]))
      written[number] = proxies
    }
    for number in written.keys where parts[number] == nil {
      try await store.commit(Transaction([.delete(key(number))]))
      written[number] = nil
    }
  }

  private func key(_ part: Int) -> String { "\(place)\(part)" }

  /// By the digest of their ids, so that one that comes or goes changes one part; without what changes all the time.
  static func parts(_ proxies: [ProxyStatus]) -> [Int: [ProxyStatus]] {
    let count = max(1, (proxies.count + Limits.part - 1) / Limits.part)
    // A power of two, so that parts stay what they are when a few proxies come.
    var rounded = 1
    while rounded < count { rounded *= 2 }
    return Dictionary(grouping: proxies.map(summary)) { Int(hash($0.id) % UInt64(rounded)) }
  }

  /// FNV-1a: the same in every process.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  private static func summary(_ proxy: ProxyStatus) -> ProxyStatus {
    var short = proxy
    // While it is connected it was seen just now; and one that is synced has the newest revision, whichever that is.
    if proxy.sync != .disconnected { short.lastSeen = 0 }
    if proxy.sync == .synced { short.revision = 0 }
    short.latestRevision = 0
    short.rejections = proxy.rejections.prefix(Limits.rejections).map { rejection in
      var rejection = rejection
      rejection.message = String(rejection.message.prefix(Limits.messageBytes))
      return rejection
    }
    short.bundles = Array(proxy.bundles.prefix(Limits.bundles))
    return short
  }

  private static func encode(_ proxies: [ProxyStatus]) -> [UInt8]? {
    var proxies = proxies
    while true {
      guard let data = try? JSONEncoder().encode(proxies) else { return nil }
      if data.count <= StoreLimits.value { return Array(data) }
      // Labels as long as they may be: the ones that are left out are at least counted by their own replica.
      proxies.removeLast(max(1, proxies.count / 4))
    }
  }

  // MARK: Reading

  private func others() async -> [ProxyStatus] {
    guard options.isShared else { return [] }
    if let known, known.at.duration(to: .now) < options.memory { return known.proxies }
    var found: [ProxyStatus] = []
    var after: String?
    var parts = 0
    do {
      repeat {
        let page = try await store.list(prefix: Self.prefix, after: after, limit: 50, at: nil)
        for entry in page.entries where !entry.key.hasPrefix(place) {
          found += (try? JSONDecoder().decode([ProxyStatus].self, from: Data(entry.value ?? []))) ?? []
        }
        parts += page.entries.count
        after = page.hasMore ? page.entries.last?.key : nil
      } while after != nil && parts < Limits.parts
    } catch {
      // What was known last is better than nothing; that the store is away is said elsewhere.
      return known?.proxies ?? []
    }
    known = (.now, found)
    return found
  }

  func proxies() async -> [ProxyStatus] {
    let own = await hub.proxies()
    let others = await others()
    if others.isEmpty { return own }
    let latest = await hub.figures.revision
    let now = hub.now
    var all = Dictionary(own.map { ($0.id, $0) }) { first, _ in first }
    for var proxy in others {
      proxy.latestRevision = latest
      if proxy.sync != .disconnected { proxy.lastSeen = now }
      if proxy.sync == .synced { proxy.revision = latest }
      // It may have been connected to several, one after the other.
      if let known = all[proxy.id] {
        let isNewer =
          known.sync == .disconnected && (proxy.sync != .disconnected || proxy.lastSeen > known.lastSeen)
          || known.sync != .disconnected && (proxy.connectedSince ?? 0) > (known.connectedSince ?? 0)
        if !isNewer { continue }
      }
      all[proxy.id] = proxy
    }
    return all.values.sorted { $0.id < $1.id }
  }

  func proxy(_ id: String) async -> ProxyStatus? {
    guard options.isShared else { return await hub.proxy(id) }
    return await proxies().first { $0.id == id }
  }

  func rejections(type: String, name: String) async -> [ResourceRejection] {
    guard options.isShared else { return await hub.rejections(type: type, name: name) }
    guard let kind = DiscoveryType.kind(type) else { return [] }
    return await proxies().flatMap(\.rejections).filter { $0.name == name && DiscoveryType.kind($0.type) == kind }
  }

  /// Of this replica: each has its own, and numbers them.
  func events(after number: UInt64) async -> [MeshEvent] { await hub.events(after: number) }
}
