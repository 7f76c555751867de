import Foundation
import Testing
import WeftProtocol
import WeftStore

@testable import WeftControl

/// Proxies that do not behave.
@Suite("Faults on the stream")
struct StreamFaultTests {
  private let filter = "weft.dev/v1/Filter"

  @Test("a proxy that reads nothing holds one delta in memory, and is given the newest state when it reads again")
  func slowReader() async throws {
    try await Plane.with { plane in
      let filler = String(repeating: "x", count: 200_000)
      for name in 0..<8 { try await plane.put("Filter", "f\(name)", #"{"note":"\#(filler)","round":0}"#) }
      let member = try await plane.join()
      let slow = try TestProxy(plane.plane.discovery.port, member.security, isReading: false)
      slow.send {
        $0.hello.kind = .gateway
        $0.hello.namespace = "default"
        $0.hello.name = "edge"
        $0.hello.instance = "slow"
        $0.hello.version = "test"
      }
      slow.subscribe(filter, "@default")
      let id = "gateway/default/edge/slow"
      #expect(try await eventually { await plane.plane.status.proxy(id)?.sync == .syncing })
      var last: Revision = 0
      for round in 1...20 {
        for name in 0..<8 {
          last = try await plane.put("Filter", "f\(name)", #"{"note":"\#(filler)","round":\#(round)}"#)
        }
      }
      // What waits for it is names: one delta was made, and no other is before that one is answered.
      let revision = last
      #expect(try await eventually { await plane.plane.hub.figures.revision >= revision })
      let waiting = await plane.plane.hub.waiting(id)
      #expect(waiting?.outstanding == 1 && (waiting?.names ?? 99) <= 8, "\(String(describing: waiting))")

      slow.read()
      var newest: [String: Bool] = [:]
      var deltas = 0
      guard case .welcome? = try await slow.next().message else { throw TestProblem("no welcome") }
      while newest.count < 8 || newest.values.contains(false) {
        let delta = try await slow.delta()
        deltas += 1
        for found in delta.resources {
          newest[found.name] = String(decoding: found.body, as: UTF8.self).contains(#""round":20"#)
        }
      }
      // Not the twenty steps: the first state, in parts of 1 MiB, and the newest one, in as many.
      #expect(deltas <= 6, "\(deltas)")
      #expect(try await eventually { await plane.plane.status.proxy(id)?.sync == .synced })
    }
  }

  @Test("answers that come twice, late or in another order change nothing, and nothing is lost")
  func confusedAnswers() async throws {
    try await Plane.with { plane in
      let service = "weft.dev/v1/Service"
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(filter, "@default")
      proxy.subscribe(service, "@default")
      var old: [TestProxy.Delta] = []
      for _ in 0..<2 { old.append(try await proxy.delta()) }
      var generator = SystemRandomNumberGenerator()
      var state: [String: String] = [:]
      for round in 0..<20 {
        try await plane.put("Filter", "f", #"{"round":\#(round)}"#)
        try await plane.put("Service", "s", #"{"round":\#(round)}"#)
        // One answer is the right one, at a moment of chance between answers to what was answered long ago.
        for _ in 0..<2 where state["default/f"] != "\(round)" || state["default/s"] != "\(round)" {
          let delta = try await proxy.delta(acknowledging: false)
          for found in delta.resources {
            let text = String(decoding: found.body, as: UTF8.self)
            state[found.name] = text.split(separator: #""round":"#).last.map { String($0.prefix { $0.isNumber }) }
          }
          let late = old.shuffled(using: &generator).prefix(5)
          for answer in late { proxy.acknowledge(answer) }
          proxy.acknowledge(delta)
          for answer in late.reversed() { proxy.acknowledge(answer, ("default/f", "")) }
          proxy.acknowledge(delta)
          old.append(delta)
        }
      }
      #expect(state == ["default/f": "19", "default/s": "19"])
      let id = "gateway/default/edge/1"
      #expect(try await eventually { await plane.plane.status.proxy(id)?.sync == .synced })
      #expect(await plane.plane.status.proxy(id)?.rejections.isEmpty == true)
      #expect(try await proxy.isSilent())
    }
  }

  @Test("when the clock jumps ahead, streams whose certificates have ended are closed; back again, proxies come back")
  func clockJumps() async throws {
    try await Plane.with { plane in
      try await plane.put("Filter", "a", "{}")
      let member = try await plane.join()
      let proxy = try await plane.connect(member)
      proxy.subscribe(filter, "default/a")
      let held = try await proxy.delta()
      await plane.plane.hub.sweep(at: Date().timeIntervalSince1970 + 7_200)
      let end = try await proxy.end()
      #expect(end.goodbye?.contains("the certificate of this connection has ended") == true && end.error == nil)
      // A jump back of hours ends nothing, for nothing is older than it was.
      let again = try await plane.connect(member)
      again.subscribe(
        filter, "default/a", held: Dictionary(uniqueKeysWithValues: held.resources.map { ($0.name, $0.version) }))
      #expect(try await again.delta().resources.isEmpty)
      await plane.plane.hub.sweep(at: Date().timeIntervalSince1970 - 7_200)
      try await plane.put("Filter", "a", #"{"type":"cors"}"#)
      #expect(try await again.delta().resources.count == 1)
      #expect(await plane.plane.status.proxy("gateway/default/edge/1")?.sync != .disconnected)
    }
  }
}

struct TestProblem: Error {
  let text: String
  init(_ text: String) { self.text = text }
}
