import Foundation
import Testing
import WeftFilter
import WeftIO

@testable import WeftLua

@Suite struct SharedDictionaryTests {
  @Test func fromLua() throws {
    try WeftTable.check(
      #"""
      local d = weft.shared("d")
      assert(d == weft.shared("d") and d ~= weft.shared("e"))
      for _, v in ipairs{"text", "", "a\0b", 1, -1, 1.5, true, false, math.maxinteger, ("x"):rep(100000)} do
        same(true, d:set("k", v)) same(v, d:get("k"))
      end
      same(nil, d:get("other")) same(1, d:count())
      same(true, d:set("k", nil)) same(nil, d:get("k")) same(0, d:count())
      refused("not found", d:replace("k", 1)) same(true, d:add("k", 1)) refused("exists", d:add("k", 2)) same(true, d:replace("k", 3))
      same(3, d:get("k")) same(true, d:delete("k")) same(false, d:delete("k"))
      refused("not found", d:incr("n")) same(5, d:incr("n", 2, 3)) same(6, d:incr("n")) same(5.5, d:incr("n", -0.5))
      d:set("n", math.maxinteger) same(math.maxinteger + 1.0, d:incr("n"))
      d:set("t", "text") refused("not a number", d:incr("t")) d:set("t", true) refused("not a number", d:incr("t", 1, 1))
      same(math.huge, d:ttl("t")) same(nil, d:ttl("x"))
      d:flush() same(0, d:count()) same(0, #d:keys())
      for i = 1, 2000 do d:set("key" .. i, i) end
      same(2000, d:count()) same(1024, #d:keys()) same(3, #d:keys(3))
      refused("too large", d:set("big", ("x"):rep(1048576)))
      same(nil, d:get("big")) same(2000, d:count())
      raises("4096", d.set, d, ("k"):rep(4097), 1) raises("string, number or boolean", d.set, d, "k", {})
      raises("more than 0 seconds", d.set, d, "k", 1, 0) raises("more than 0 seconds", d.set, d, "k", 1, 0/0)
      raises("a number", d.incr, d, "k", "1") raises("1 to 1024", d.keys, d, 0) raises("1 to 64 bytes", weft.shared, "")
      raises("shared dictionary expected", d.get, handle, "k")
      raises("16 shared dictionaries", function() for i = 1, 20 do weft.shared("n" .. i) end end)
      """#)
  }

  @Test func timesToLive() throws {
    let bench = try ScriptBench(
      """
      local d = weft.shared("d")
      function on_request(handle)
        local path = handle:headers():get(":path")
        if path == "/set" then
          d:set("a", 1, 1.5)
          d:incr("n", 1, 0, 1)
        elseif path == "/add" then
          handle:headers():replace("x", tostring(d:add("a", 2, 0.0001)))
        else
          handle:headers():replace("x", tostring(d:get("a")) .. " " .. tostring(d:ttl("a")) .. " " .. tostring(d:incr("n", 1, 0, 1)))
        end
      end
      """)
    func ask(_ path: String = "/") throws -> String? { try bench.request("GET", path).upstreamRequest?["x"] }
    _ = try ask("/set")
    #expect(try ask() == "1 1.5 2")
    bench.bench.advance(milliseconds: 999)
    #expect(try ask() == "1 0.501 3")
    bench.bench.advance(milliseconds: 1)
    #expect(try ask("/add") == "nil")
    #expect(try ask() == "1 0.5 1")
    bench.bench.advance(milliseconds: 500)
    #expect(try ask() == "nil nil 2")
    #expect(try ask("/add") == "true")
    bench.bench.advance(milliseconds: 1)
    #expect(try ask() == "nil nil 3")
    #expect(bench.errors == [])
  }

  /// What was used longest ago goes, and never more is kept than the size.
  @Test func theOldestGoes() {
    var shard = SharedShard(limit: 10 * (SharedShard.overhead + 4))
    func key(_ i: Int) -> OwnedBytes { OwnedBytes("k\(i)") }
    func put(_ i: Int) {
      let k = key(i)
      #expect(shard.set(k.bytes, i &* 7919, .integer(Int64(i)), expires: 0, now: 1, ifExists: nil) == .stored)
    }
    func isThere(_ i: Int) -> Bool {
      let k = key(i)
      return shard.get(k.bytes, i &* 7919, now: 1) != nil
    }
    for i in 0..<10 { put(i) }
    #expect(isThere(0))
    for i in 10..<14 { put(i) }
    #expect(shard.used <= shard.limit)
    #expect(isThere(0) && !isThere(1) && !isThere(2) && !isThere(3) && isThere(9))
    shard.limit /= 2
    shard.shrink()
    #expect(shard.used <= shard.limit)
    #expect(isThere(9))
  }

  /// Against a plain dictionary, with many keys that collide.
  @Test func againstAModel() {
    var shard = SharedShard(limit: 1 << 20)
    var model: [Int: (value: String, expires: UInt64)] = [:]
    var generator = SystemRandomNumberGenerator()
    var now: UInt64 = 1
    for _ in 0..<20_000 {
      now += UInt64.random(in: 0...2, using: &generator)
      let i = Int.random(in: 0..<200, using: &generator)
      let key = OwnedBytes("key-\(i)")
      let hash = i % 50
      let expected = model[i].flatMap { $0.expires == 0 || $0.expires > now ? $0.value : nil }
      switch Int.random(in: 0..<4, using: &generator) {
      case 0:
        let text = String(repeating: "v", count: Int.random(in: 0...40, using: &generator))
        let value = OwnedBytes(text)
        let expires = Bool.random(using: &generator) ? 0 : now + UInt64.random(in: 1...50, using: &generator)
        #expect(
          shard.set(key.bytes, hash, .string(value.bytes), expires: expires, now: now, ifExists: nil) == .stored)
        model[i] = (text, expires)
      case 1:
        #expect(shard.remove(key.bytes, hash, now: now) == (expected != nil))
        model[i] = nil
      default:
        var found: String?
        if case .string(let bytes) = shard.get(key.bytes, hash, now: now) { found = bytes.string }
        #expect(found == expected)
      }
    }
  }

  /// Workers share it; a bundle of another name does not, nor does another process.
  @Test func whoSharesIt() throws {
    let process = NSObject()
    let space = SharedSpace.of("a", in: process)
    #expect(SharedSpace.of("a", in: process) === space)
    #expect(SharedSpace.of("b", in: process) !== space)
    #expect(SharedSpace.of("a", in: NSObject()) !== space)
    let dictionary = try #require(space.dictionary("d", bytes: 1 << 20))
    #expect(space.dictionary("d", bytes: 1 << 20) === dictionary)
  }

  @Test func aReloadKeepsIt() throws {
    let bench = try ScriptBench()
    let first = try bench.add(
      "local d = weft.shared('d')\nfunction on_request(h) d:incr('n', 1, 0) end", name: "counting")
    _ = try bench.request()
    let second = try bench.decode(
      "script: |\n  local d = weft.shared('d')\n  function on_request(h) h:headers():replace('x', tostring(d:get('n'))) end",
      name: "counting")
    withExtendedLifetime(first) {}
    let next = FilterBench(metrics: bench.bench.metrics)
    next.add(try second.makeFilter(next.worker), name: "counting")
    #expect(try next.request().upstreamRequest?["x"] == "1")
  }

  /// Threads that count at the same time lose nothing.
  @Test func threadsCountTogether() async throws {
    let dictionary = SharedDictionary(bytes: 4 << 20)
    await withTaskGroup(of: Void.self) { group in
      for thread in 0..<4 {
        group.addTask {
          for i in 0..<5_000 {
            let key = OwnedBytes("n\(i % 7)")
            _ = dictionary.withShard(of: key.bytes) {
              $0.increment(key.bytes, $1, by: .integer(1), initial: .integer(0), expires: 0, now: 1)
            }
            let own = OwnedBytes("t\(thread)-\(i)")
            _ = dictionary.withShard(of: own.bytes) {
              $0.set(own.bytes, $1, .boolean(true), expires: 0, now: 1, ifExists: nil)
            }
          }
        }
      }
    }
    var sum: Int64 = 0
    for i in 0..<7 {
      let key = OwnedBytes("n\(i)")
      if case .integer(let n) = dictionary.withShard(of: key.bytes, { $0.get(key.bytes, $1, now: 1) }) { sum += n }
    }
    #expect(sum == 20_000)
    #expect(dictionary.count == 20_007)
  }

  @Test func theManifestSaysTheSize() throws {
    let folder = try BundleFolders()
    try folder.add("sized", manifest: "shared: {quotas: 64KiB}", main: "function on_request(h) end")
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path]
    #expect(try bench.decode("bundle: sized").program.surroundings?.sharedSizes == ["quotas": 65536])
    try folder.add("wrong", manifest: "shared: {quotas: 1KiB}")
    #expect(throws: (any Error).self) { try bench.decode("bundle: wrong") }
  }
}
