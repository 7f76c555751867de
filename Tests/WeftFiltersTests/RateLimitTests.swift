import Glibc
import Testing
import WeftConfig
import WeftFilter
import WeftIO
import WeftTelemetry

@testable import WeftFilters

@Suite struct RateLimitTests {
  /// Requests of one client that are let through, one after the other, until one is not.
  private func allowed(_ bench: FilterBench, limit: Int = 10_000, _ headers: [String] = []) throws -> Int {
    var n = 0
    while n < limit, try bench.request("GET", "/", headers).progress == .upstream { n += 1 }
    return n
  }

  @Test func theBurstAndThenTheRate() throws {
    let bench = try bench(RateLimit.self, "requests: 10\nper: 1s\nburst: 20")
    #expect(try allowed(bench) == 20)
    bench.advance(milliseconds: 99)
    #expect(try allowed(bench) == 0)
    bench.advance(milliseconds: 1)
    #expect(try allowed(bench) == 1)
    bench.advance(milliseconds: 1000)
    #expect(try allowed(bench) == 10)
    bench.advance(milliseconds: 60_000)
    #expect(try allowed(bench) == 20)
  }

  @Test func aRefusalSaysWhenToComeAgain() throws {
    let bench = try bench(RateLimit.self, "requests: 1\nper: 1m\nburst: 2\nheaders: [rate-limit, x-rate-limit]")
    #expect(try allowed(bench) == 2)
    bench.advance(milliseconds: 10_500)
    let exchange = try bench.request()
    let response = try #require(exchange.response)
    #expect(response.status == 429)
    #expect(response.text == "rate limit exceeded\n")
    #expect(response["retry-after"] == "50")
    #expect(response["ratelimit-policy"] == "\"rate-limit\";q=1;w=60")
    #expect(response["ratelimit"] == "\"rate-limit\";r=0;t=50")
    #expect(response["x-ratelimit-limit"] == "2")
    #expect(response["x-ratelimit-remaining"] == "0")
    #expect(response["x-ratelimit-reset"] == "50")
    #expect(exchange.flags == .rateLimited)
    #expect(exchange.details == "rate_limited")
    #expect(bench.metric("weft_filter_rate_limit_decisions_total", ["rate-limit", "allowed"]) == 2)
    #expect(bench.metric("weft_filter_rate_limit_decisions_total", ["rate-limit", "limited"]) == 2)
    // A client that obeys is served.
    bench.advance(milliseconds: 50_000)
    #expect(try allowed(bench) == 1)
  }

  @Test func statusBodyAndFieldsAreTheUsers() throws {
    let bench = try bench(RateLimit.self, "requests: 1\nstatus: 503\nbody: slow down\nheaders: []")
    #expect(try allowed(bench) == 1)
    let response = try #require(try bench.request().response)
    #expect(response.status == 503)
    #expect(response.text == "slow down")
    #expect(response["ratelimit"] == nil)
    #expect(response["retry-after"] == "1")
  }

  @Test func everyResponseCanSayWhatIsLeft() throws {
    let bench = try bench(RateLimit.self, "requests: 10\nper: 10s\nheadersOn: all")
    for left in [9, 8, 7] {
      let exchange = try bench.request()
      try exchange.respond(200)
      #expect(exchange.response?["ratelimit"] == "\"rate-limit\";r=\(left);t=\(10 - left)")
    }
  }

  @Test func aDryRunOnlyCounts() throws {
    let bench = try bench(RateLimit.self, "requests: 3\ndryRun: true\nheadersOn: all")
    #expect(try allowed(bench, limit: 10) == 10)
    #expect(bench.metric("weft_filter_rate_limit_decisions_total", ["rate-limit", "dry_run"]) == 7)
    let exchange = try bench.request()
    try exchange.respond(200)
    #expect(exchange.flags.isEmpty)
    #expect(exchange.response?["ratelimit"] == nil)
  }

  // MARK: Keys

  @Test(arguments: [
    // What the key is made of, two requests, and whether they share a bucket.
    ("client-address", "10.0.0.1 a /x", "10.0.0.1 b /y", true),
    ("client-address", "10.0.0.1 a /x", "10.0.0.2 a /x", false),
    ("client-address, ipv4PrefixLength: 24", "10.0.0.1 a /x", "10.0.0.200 a /x", true),
    ("client-address, ipv4PrefixLength: 24", "10.0.0.1 a /x", "10.0.1.1 a /x", false),
    ("client-address, ipv4PrefixLength: 0", "10.0.0.1 a /x", "1.2.3.4 a /x", true),
    ("client-address", "2001:db8:0:1::1 a /x", "2001:db8:0:1:ffff::2 a /x", true),
    ("client-address", "2001:db8:0:1::1 a /x", "2001:db8:0:2::1 a /x", false),
    ("client-address, ipv6PrefixLength: 128", "2001:db8::1 a /x", "2001:db8::2 a /x", false),
    ("client-address, ipv6PrefixLength: 48", "2001:db8:0:1::1 a /x", "2001:db8:0:2::1 a /x", true),
    ("client-address, ipv6PrefixLength: 96", "2001:db8::1 a /x", "2001:db8::2 a /x", true),
    ("client-address, ipv6PrefixLength: 0", "2001:db8::1 a /x", "fd00::2 a /x", true),
    ("client-address", "10.0.0.1 a /x", "::ffff:10.0.0.1 a /x", true),
    ("header, name: X-Key", "10.0.0.1 a /x", "10.0.0.2 a /y", true),
    ("header, name: X-Key", "10.0.0.1 a /x", "10.0.0.1 b /x", false),
    ("header, name: X-Key", "10.0.0.1 a /x", "10.0.0.1 - /x", false),
    ("path", "10.0.0.1 a /x?1", "10.0.0.2 b /x?2", true),
    ("path", "10.0.0.1 a /x", "10.0.0.1 a /y", false),
    ("method", "10.0.0.1 a /x", "10.0.0.2 b /y", true),
    ("route", "10.0.0.1 a /x", "10.0.0.2 b /y", true),
    ("host", "10.0.0.1 a /x", "10.0.0.2 b /y", true),
    ("header, name: x-key}, {type: path", "10.0.0.1 a /x", "10.0.0.2 a /x", true),
    ("header, name: x-key}, {type: path", "10.0.0.1 a /x", "10.0.0.1 a /y", false),
    ("header, name: x-key}, {type: path", "10.0.0.1 a /x", "10.0.0.1 b /x", false),
  ])
  func keys(key: String, first: String, second: String, share: Bool) throws {
    let bench = try bench(RateLimit.self, "requests: 1\nkey: [{type: \(key)}]")
    func send(_ request: String) throws -> Bool {
      let parts = request.split(separator: " ").map(String.init)
      let exchange = try bench.request("GET", parts[2], parts[1] == "-" ? [] : ["x-key: \(parts[1])"]) {
        $0.client = SocketAddress(IPAddress(parts[0]) ?? .any, port: UInt16.random(in: 1...9999))
      }
      return exchange.progress == .upstream
    }
    #expect(try send(first))
    #expect(try send(second) == !share)
    #expect(try !send(first))
  }

  @Test func routesHostsAndMethodsAreKeys() throws {
    let bench = try bench(RateLimit.self, "requests: 1\nkey: [{type: route}, {type: host}, {type: method}]")
    func send(_ route: String, _ host: String, _ method: String) throws -> Bool {
      try bench.request(method, "/", ["host: \(host)"]) { $0.route = route }.progress == .upstream
    }
    #expect(try send("a", "h", "GET"))
    #expect(try !send("a", "H", "GET"))
    #expect(try send("b", "h", "GET"))
    #expect(try send("a", "i", "GET"))
    #expect(try send("a", "h", "PURGE"))
    #expect(try !send("a", "h", "PURGE"))
  }

  @Test func withoutAKeyAllShareOneBucket() throws {
    let bench = try bench(RateLimit.self, "requests: 2\nkey: []")
    for (i, expected) in [true, true, false].enumerated() {
      let exchange = try bench.request("GET", "/\(i)") { $0.client = SocketAddress(IPAddress(v4: UInt32(i)), port: 1) }
      #expect((exchange.progress == .upstream) == expected)
    }
  }

  @Test func requestsThatLackTheHeaderCanBeLeftAlone() throws {
    let bench = try bench(RateLimit.self, "requests: 1\nkey: [{type: header, name: x-key}]\nmissing: skip")
    #expect(try allowed(bench, limit: 10) == 10)
    #expect(try allowed(bench, ["x-key: a"]) == 1)
    let sharing = FilterBench()
    try sharing.add(RateLimit.self, "requests: 1\nkey: [{type: header, name: x-key}]")
    #expect(try allowed(sharing) == 1)
  }

  // MARK: Many keys

  @Test func manyKeysHaveBucketsOfTheirOwn() throws {
    let bench = try bench(RateLimit.self, "requests: 2\nper: 1h\nkey: [{type: header, name: k}]\nmaxKeys: 16384")
    for round in 0..<3 {
      var allowed = 0
      for i in 0..<10_000 where try bench.request("GET", "/", ["k: \(i)"]).progress == .upstream { allowed += 1 }
      #expect(allowed == (round < 2 ? 10_000 : 0))
    }
    #expect(bench.metric("weft_filter_rate_limit_decisions_total", ["rate-limit", "table_full"]) == 0)
  }

  @Test func theTableFillsUpBeforeItForgets() throws {
    let table = try RateLimitTable(interval: 1 << 40, burst: 1, keys: 65_536)
    #expect(table.capacity == 65_536)
    var random = WorkerRandom()
    let keys = (0..<43_000).map { _ in random.next() }
    let first = keys.filter { table.take($0, now: 1 << 40).isAllowed }
    #expect(first.count == keys.count)
    let again = keys.filter { table.take($0, now: 1 << 40).isAllowed }
    #expect(again.isEmpty)
  }

  @Test func aFullTableForgetsTheKeysThatAreFullSoonest() throws {
    let bench = try bench(RateLimit.self, "requests: 4\nper: 1h\nkey: [{type: header, name: k}]\nmaxKeys: 8")
    // One key is at its limit, seven others have spent one token, and then more come.
    #expect(try allowed(bench, ["k: busy"]) == 4)
    for i in 0..<7 { try bench.request("GET", "/", ["k: \(i)"]) }
    #expect(bench.metric("weft_filter_rate_limit_decisions_total", ["rate-limit", "table_full"]) == 0)
    for i in 7..<100 { #expect(try bench.request("GET", "/", ["k: \(i)"]).progress == .upstream) }
    #expect(bench.metric("weft_filter_rate_limit_decisions_total", ["rate-limit", "table_full"]) == 93)
    #expect(try allowed(bench, ["k: busy"]) == 0)
  }

  @Test func bucketsThatAreFullAgainMakeRoom() throws {
    let bench = try bench(RateLimit.self, "requests: 1\nkey: [{type: header, name: k}]\nmaxKeys: 8")
    for i in 0..<1000 {
      #expect(try bench.request("GET", "/", ["k: \(i)"]).progress == .upstream)
      bench.advance(milliseconds: 200)
    }
    #expect(bench.metric("weft_filter_rate_limit_decisions_total", ["rate-limit", "table_full"]) == 0)
  }

  // MARK: Exactness

  @Test(arguments: [
    (1, 1000, 60_000), (3, 1000, 60_000), (7, 60_000, 600_000), (1000, 1000, 10_000), (33_333, 1000, 3000),
    (100_000, 1000, 500), (1_000_000, 1000, 50),
  ])
  func theRateIsExact(requests: Int, per: Int, duration: Int) throws {
    // Offers ten times the limit, at even distances.
    let ticks = UInt64((Double(per) * 1e6 / Double(requests) * 16).rounded())
    let table = try RateLimitTable(interval: ticks, burst: 2, keys: 8)
    let step = UInt64(Double(per) * 1e6 / Double(requests) / 10)
    var now: UInt64 = 1 << 50
    let end = now + UInt64(duration) * 1_000_000
    var allowed = 0
    while now < end {
      if table.take(42, now: now).isAllowed { allowed += 1 }
      now += step
    }
    let expected = 2 + Double(duration) / Double(per) * Double(requests)
    #expect(abs(Double(allowed) - expected) <= max(expected * 0.001, 2))
  }

  @Test(arguments: [[1.0, 1, 1, 1], [1, 0, 0, 0], [0.9, 0.05, 0.04, 0.01], [0.5, 0.5, 0, 0]])
  func workersAddUpToTheRateHoweverTrafficFalls(shares: [Double]) throws {
    let metrics = MetricsRegistry()
    let benches = (0..<4).map { FilterBench(worker: $0, of: 4, metrics: metrics) }
    let type = try benches[0].decode(RateLimit.self, "requests: 100\nburst: 10\nkey: []")
    for bench in benches { try bench.add(type) }
    var random = WorkerRandom()
    var allowed = 0
    // 20 s at 500 requests a second.
    for _ in 0..<10_000 {
      var draw = Double.random(in: 0..<shares.reduce(0, +), using: &random)
      let worker = shares.firstIndex { share in
        draw -= share
        return draw < 0
      }
      let exchange = try benches[worker ?? 0].request()
      if exchange.progress == .upstream { allowed += 1 }
      for bench in benches { bench.advance(nanoseconds: 2_000_000) }
    }
    #expect(abs(allowed - 2010) <= 20)
  }

  @Test func threadsShareOneLimitWithoutALock() throws {
    let rate = 2000
    let metrics = MetricsRegistry()
    let type = try FilterBench(metrics: metrics).decode(
      RateLimit.self, "requests: \(rate)\nburst: \(rate)\nkey: []")
    let total = Locked(0)
    let start = MonotonicTime.nanoseconds()
    let end = start + 2_000_000_000
    // The first worker gets nearly all of the traffic.
    let threads = try (0..<4).map { i in
      try EventLoopThread(name: "worker \(i)") {
        let bench = FilterBench(worker: i, of: 4, metrics: metrics)
        guard (try? bench.add(type)) != nil else { return }
        var allowed = 0
        while true {
          let now = MonotonicTime.nanoseconds()
          if now >= end { break }
          bench.worker.clock.pointee.now = now
          if (try? bench.request())?.progress == .upstream { allowed += 1 }
          if i > 0 {
            var pause = timespec(tv_sec: 0, tv_nsec: 500_000 * i)
            nanosleep(&pause, nil)
          }
        }
        let count = allowed
        total.withLock { $0 += count }
      }
    }
    for thread in threads { thread.join() }
    let allowed = total.withLock { $0 }
    // The burst and two seconds' worth.
    #expect(Double(allowed) <= Double(rate) * 3 * 1.02)
    #expect(Double(allowed) >= Double(rate) * 3 * 0.98)
  }

  @Test func threadsThatPlaceKeysAtOnceKeepTheLimit() throws {
    let table = try RateLimitTable(interval: 1 << 40, burst: 3, keys: 4096)
    let total = Locked(0)
    let threads = try (0..<4).map { i in
      try EventLoopThread(name: "worker \(i)") {
        var allowed = 0
        for round in 0..<4 {
          for key in 0..<500 {
            let key = UInt64(((round + i) % 2 == 0 ? key : 499 - key) + 1) &* 0x9e37_79b9_7f4a_7c15
            if table.take(key, now: 1 << 40).isAllowed { allowed += 1 }
          }
        }
        let count = allowed
        total.withLock { $0 += count }
      }
    }
    for thread in threads { thread.join() }
    // Three for each key; a race may give a token away.
    #expect((1500...1510).contains(total.withLock { $0 }))
  }

  // MARK: Configuration

  @Test(arguments: [
    (100, "1s", "q=100;w=1"), (10, "100ms", "q=100;w=1"), (1, "1m", "q=1;w=60"), (3, "1500ms", "q=4;w=2"),
  ])
  func thePolicyIsInWholeSeconds(requests: Int, per: String, policy: String) throws {
    let type = try FilterBench().decode(RateLimit.self, "requests: \(requests)\nper: \(per)", name: "a \"b\\")
    #expect(type.policy.bytes.string == "\"a _b_\";" + policy)
  }

  @Test(arguments: [
    ("{}", "requests: is missing; it must be given"),
    ("requests: 0", "requests: 0 is out of range; allowed are 1 to 1000000000"),
    ("requests: 1\nper: 1", "per: expected a duration, not the number 1; add a unit, such as 1s"),
    ("requests: 20000000", "requests: 20000000 per 1s is more than 10000000 a second"),
    ("requests: 1\nper: 24h\nburst: 50", "burst: 50 requests take more than 40 days at 1 per 24h"),
    ("requests: 1\nkey: [{}]", "key[0].type: is missing; it must be given"),
    ("requests: 1\nkey: [{type: cookie}]", "key[0].type: unknown value \"cookie\"; use one of client-address"),
    ("requests: 1\nkey: [{type: header}]", "key[0].name: is missing; it must be given with type header"),
    ("requests: 1\nkey: [{type: path, name: x}]", "key[0].name: belongs to type header"),
    (
      "requests: 1\nkey: [{type: path, ipv4PrefixLength: 8}]",
      "key[0].ipv4PrefixLength: belongs to type client-address"
    ),
    ("requests: 1\nkey: [{type: client-address, ipv4PrefixLength: 33}]", "key[0].ipv4PrefixLength: 33 is out of range"),
    ("requests: 1\nmaxKeys: 1", "maxKeys: 1 is out of range; allowed are 8 to 16777216"),
    ("requests: 1\nstatus: 200", "status: 200 is out of range; allowed are 400 to 599"),
    ("requests: 1\nmissing: deny", "missing: unknown value \"deny\"; use one of share, skip"),
    ("requests: 1\nheadersOn: some", "headersOn: unknown value \"some\"; use one of limited, all"),
    ("requests: 1\nrate: 2", "rate: unknown field \"rate\""),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(RateLimit.self, yaml)
    #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
  }
}
