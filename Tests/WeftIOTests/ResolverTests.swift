import Glibc
import Testing
import WeftIO

/// Drives a source as a loop would, until `done` says so or ten seconds have passed.
func drive(_ sources: [any LoopSource], until done: () -> Bool) -> Bool {
  let start = MonotonicTime.milliseconds()
  while !done() {
    let now = MonotonicTime.milliseconds()
    if now > start + 10_000 { return false }
    let next = sources.compactMap { $0.nextDeadline(now: now) }.min() ?? now + 1_000
    var polled = sources.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    poll(&polled, UInt(polled.count), Int32(clamping: next <= now ? 0 : min(next - now, 1_000)))
    for source in sources { source.process(now: MonotonicTime.milliseconds()) }
  }
  return true
}

private final class Answer {
  var result: Result<Resolution, ResolveError>?
  var count = 0
}

struct ResolverTests {
  private func resolver(_ server: DNSServer, _ change: (inout Resolver.Options) -> Void = { _ in }) throws -> Resolver {
    var options = Resolver.Options()
    options.servers = [server.address]
    options.searchDomains = []
    options.tryTimeout = 5_000
    change(&options)
    return try Resolver(options)
  }

  private func ask(
    _ resolver: Resolver, _ name: String, _ families: AddressFamilies = .all
  ) throws -> Result<Resolution, ResolveError> {
    let answer = Answer()
    resolver.resolve(name, families) {
      answer.result = $0
      answer.count += 1
    }
    #expect(answer.result == nil, "never from within resolve")
    #expect(drive([resolver]) { answer.result != nil })
    #expect(answer.count == 1)
    #expect(resolver.pending == 0)
    return try #require(answer.result)
  }

  private func texts(_ result: Result<Resolution, ResolveError>) -> [String] {
    (try? result.get().addresses.map(\.description).sorted()) ?? []
  }

  private static let both: [DNSServer.Record] = [
    .a("10.0.0.1", ttl: 60), .a("10.0.0.2", ttl: 30), .aaaa("2001:db8::1", ttl: 45),
  ]

  @Test func addressesOfBothFamiliesWithTheLeastTTL() throws {
    let server = try DNSServer { _ in .records(Self.both) }
    let resolver = try resolver(server)
    let result = try ask(resolver, "reviews.internal")
    #expect(texts(result) == ["10.0.0.1", "10.0.0.2", "2001:db8::1"])
    #expect(try result.get().ttl == 30)
    #expect(Set(server.questions.map(\.name)) == ["reviews.internal"])
    #expect(Set(server.questions.map(\.type)) == [1, 28])
  }

  @Test func familiesAsAskedFor() throws {
    let server = try DNSServer { $0.name.hasPrefix("six") ? .records([.aaaa("::2", ttl: 5)]) : .records(Self.both) }
    let resolver = try resolver(server)
    #expect(texts(try ask(resolver, "a.test", .v4Only)) == ["10.0.0.1", "10.0.0.2"])
    #expect(texts(try ask(resolver, "a.test", .v6Only)) == ["2001:db8::1"])
    #expect(texts(try ask(resolver, "a.test", .v4Preferred)) == ["10.0.0.1", "10.0.0.2"])
    #expect(texts(try ask(resolver, "a.test", .v6Preferred)) == ["2001:db8::1"])
    #expect(texts(try ask(resolver, "six.test", .v4Preferred)) == ["::2"])
    #expect(texts(try ask(resolver, "six.test")) == ["::2"], "a host with IPv6 only")
    let none = try ask(resolver, "six.test", .v4Only)
    #expect(throws: ResolveError.self) { try none.get() }
    if case .failure(let error) = none { #expect(error.reason == .noAddress) }
  }

  @Test func oneFamilyMayFail() throws {
    let server = try DNSServer { $0.type == 28 ? .code(2) : .records(Self.both) }
    var options = Resolver.Options()
    options.servers = [server.address]
    options.tries = 1
    let resolver = try Resolver(options)
    #expect(texts(try ask(resolver, "half.test.")) == ["10.0.0.1", "10.0.0.2"])
  }

  @Test func anAliasBoundsTheTTL() throws {
    let server = try DNSServer { _ in
      .records([.cname("real.test", ttl: 7), .a("10.0.0.9", ttl: 600), .aaaa("::9", ttl: 600)])
    }
    let result = try ask(try resolver(server), "alias.test")
    #expect(texts(result) == ["10.0.0.9", "::9"])
    #expect(try result.get().ttl == 7)
  }

  @Test(
    arguments: [
      (3, .notFound, "there is no such name"), (0, .noAddress, "add an A or AAAA record"),
      (2, .server("SERVFAIL"), ") failed: "), (5, .server("REFUSED"), "see its log"),
    ] as [(UInt8, ResolveError.Reason, String)])
  func failuresAreExplained(code: UInt8, reason: ResolveError.Reason, text: String) throws {
    let server = try DNSServer { _ in .code(code) }
    let resolver = try resolver(server) { $0.tries = 1 }
    guard case .failure(let error) = try ask(resolver, "gone.test") else {
      Issue.record("resolved")
      return
    }
    #expect(error.name == "gone.test")
    #expect(error.description.hasPrefix("gone.test: ") && error.description.contains(text))
    // The words about a failing server are c-ares's own, and differ from version to version.
    if case .server = reason, case .server = error.reason { return }
    #expect(error.reason == reason)
  }

  @Test func aServerThatIsSilentTimesOut() throws {
    let server = try DNSServer { _ in .silence }
    let resolver = try resolver(server) {
      $0.tryTimeout = 20
      $0.tries = 2
    }
    guard case .failure(let error) = try ask(resolver, "slow.test") else {
      Issue.record("resolved")
      return
    }
    #expect(error.reason == .timeout)
    #expect(error.description.contains(server.address.description))
    #expect(server.hasBeenAsked(4), "both families, twice")
  }

  @Test func aLostPacketIsAskedAgain() throws {
    let counter = Counter()
    let server = try DNSServer { _ in counter.next() <= 2 ? .silence : .records(Self.both) }
    let resolver = try resolver(server) { $0.tryTimeout = 20 }
    #expect(texts(try ask(resolver, "lossy.test")).count == 3)
  }

  @Test func theDeadlineHoldsWhateverTheServersDo() throws {
    let server = try DNSServer { _ in .silence }
    let resolver = try resolver(server) { $0.deadline = 50 }
    let start = MonotonicTime.milliseconds()
    guard case .failure(let error) = try ask(resolver, "stuck.test") else {
      Issue.record("resolved")
      return
    }
    #expect(error.reason == .timeout)
    #expect(MonotonicTime.milliseconds() - start < 4_000)
  }

  @Test func aTruncatedAnswerIsAskedForOverTCP() throws {
    let many = (0..<100).map { DNSServer.Record.a("10.0.1.\($0)", ttl: 9) }
    let server = try DNSServer { _ in .truncated(many) }
    let result = try ask(try resolver(server), "big.test", .v4Only)
    #expect(texts(result).count == 100)
    #expect(server.questions.contains { $0.overTCP } && server.questions.contains { !$0.overTCP })
  }

  @Test func answersToOtherQuestionsAreIgnored() throws {
    let server = try DNSServer { _ in .forged(Self.both) }
    #expect(texts(try ask(try resolver(server), "a.test")) == ["10.0.0.1", "10.0.0.2", "2001:db8::1"])
  }

  @Test func garbageIsAFailureNotACrash() throws {
    let random = RandomBytes()
    let server = try DNSServer { _ in .garbage([0x84, 0x80, 0, 1, 0, 5, 0, 0, 0, 0] + random.next()) }
    let resolver = try resolver(server) {
      $0.tryTimeout = 10
      $0.tries = 1
      $0.deadline = 2_000
    }
    for i in 0..<30 {
      if case .success(let resolution) = try ask(resolver, "g\(i).test") { Issue.record("resolved to \(resolution)") }
    }
  }

  @Test func literalsAndLocalhostAskNobody() throws {
    let server = try DNSServer { _ in .code(3) }
    let resolver = try resolver(server)
    #expect(try ask(resolver, "192.0.2.7").get() == Resolution(addresses: [IPAddress("192.0.2.7")!], ttl: .max))
    #expect(try ask(resolver, "2001:db8::7").get().addresses == [IPAddress("2001:db8::7")!])
    #expect(try ask(resolver, "localhost").get().addresses.first == .loopbackV4)
    #expect(try ask(resolver, "a.LocalHost.").get().addresses.first == .loopbackV4)
    #expect(try ask(resolver, "localhost", .v4Only).get().addresses == [.loopbackV4])
    for name in [
      "", ".", "a..b", "a b", "a/b", "é.test", "a\0b", String(repeating: "a", count: 64) + ".test",
      String(repeating: "abc.", count: 70),
    ] {
      guard case .failure(let error) = try ask(resolver, name) else {
        Issue.record("\(name) resolved")
        continue
      }
      #expect(error.reason == .invalidName)
    }
    #expect(server.questions.isEmpty)
  }

  @Test func theHostsFileIsReadFirst() throws {
    // Whatever this machine's file names besides localhost.
    let lines = file("/etc/hosts").split(separator: "\n").map { $0.split(whereSeparator: { $0 == " " || $0 == "\t" }) }
    let entry = lines.first { line in
      line.count >= 2 && IPAddress(String(line[0])) != nil && !line[1].contains("localhost")
        && line[1].contains { $0.isLetter }
    }
    guard let entry else { return }
    let server = try DNSServer { _ in .code(3) }
    let result = try ask(try resolver(server), String(entry[1]))
    #expect(texts(result).contains(IPAddress(String(entry[0]))!.description))
    #expect(try result.get().ttl == 0)
  }

  @Test func searchDomainsAreTried() throws {
    let server = try DNSServer { $0.name == "reviews.mesh.local" ? .records(Self.both) : .code(3) }
    let resolver = try resolver(server) { $0.searchDomains = ["no.local", "mesh.local"] }
    #expect(texts(try ask(resolver, "reviews")).count == 3)
    guard case .failure = try ask(resolver, "reviews.") else {
      Issue.record("an absolute name was searched for")
      return
    }
  }

  @Test func nobodyIsToldAfterCancelling() throws {
    let server = try DNSServer { _ in .records(Self.both) }
    let resolver = try resolver(server) { $0.maximumInFlight = 2 }
    let answer = Answer()
    let requests = (0..<10).map { i in
      resolver.resolve("n\(i).test") { _ in answer.count += 1 }
    }
    for request in requests where request != requests[5] { resolver.cancel(request) }
    #expect(resolver.pending == 1)
    #expect(drive([resolver]) { answer.count == 1 })
    resolver.cancel(requests[5])
    #expect(texts(try ask(resolver, "after.test")).count == 3)
    #expect(answer.count == 1)
  }

  @Test func atMostSoManyAtOnceAndInLine() throws {
    let server = try DNSServer { _ in .records(Self.both) }
    let resolver = try resolver(server) {
      $0.maximumInFlight = 3
      $0.maximumWaiting = 50
    }
    var results: [String: Result<Resolution, ResolveError>] = [:]
    for i in 0..<60 {
      resolver.resolve("n\(i).test", .v4Only) { results["n\(i).test"] = $0 }
    }
    #expect(drive([resolver]) { results.count == 60 })
    let failed = results.filter { if case .failure = $0.value { true } else { false } }
    #expect(failed.count == 7)
    for case .failure(let error) in failed.values { #expect(error.reason == .overloaded) }
  }

  @Test func completionsMayResolveAndDropTheResolver() throws {
    let server = try DNSServer { _ in .records(Self.both) }
    var resolver: Resolver? = try resolver(server)
    var depth = 0
    func next() {
      resolver?.resolve("chain\(depth).test") { _ in
        depth += 1
        if depth < 5 { next() } else { resolver = nil }
      }
    }
    next()
    #expect(
      drive([Forwarder { resolver }]) { resolver == nil })
    #expect(depth == 5)
  }

  @Test func goesWithQueriesUnderWay() throws {
    let server = try DNSServer { _ in .silence }
    let before = openDescriptors()
    do {
      let resolver = try resolver(server)
      for i in 0..<20 { resolver.resolve("n\(i).test") { _ in Issue.record("told after the end") } }
      resolver.process(now: MonotonicTime.milliseconds())
    }
    // Other tests open and close descriptors too: only a leak of many would show.
    #expect(openDescriptors() < before + 200)
  }

  final class Counter: Sendable {
    private let value = Locked(0)
    func next() -> Int {
      value.withLock {
        $0 += 1
        return $0
      }
    }
  }

  final class RandomBytes: Sendable {
    private let random = Locked(SeededGenerator(seed: 99))
    func next() -> [UInt8] {
      random.withLock { random in
        let count = Int.random(in: 0..<120, using: &random)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      }
    }
  }

  /// Hosts a resolver that goes while it is hosted.
  final class Forwarder: LoopSource {
    let source: () -> Resolver?
    init(source: @escaping () -> Resolver?) { self.source = source }
    var descriptor: Int32 { source()?.descriptor ?? -1 }
    func nextDeadline(now: UInt64) -> UInt64? { source()?.nextDeadline(now: now) }
    func process(now: UInt64) { source()?.process(now: now) }
  }
}

/// How many descriptors this process has open.
func openDescriptors() -> Int {
  guard let folder = opendir("/proc/self/fd") else { return 0 }
  defer { closedir(folder) }
  var count = 0
  while readdir(folder) != nil { count += 1 }
  return count
}
