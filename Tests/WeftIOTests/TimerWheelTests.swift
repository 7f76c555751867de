import Testing
import WeftIO

/// Nodes at stable addresses, and what a list of plain deadlines says that the wheel must do.
private struct Bench: ~Copyable {
  let nodes: UnsafeMutablePointer<TimerNode>
  let count: Int
  var model: [Int: UInt64] = [:]

  init(count: Int) {
    self.count = count
    nodes = .allocate(capacity: count)
    for i in 0..<count { (nodes + i).initialize(to: TimerNode(token: UInt64(i), kind: UInt8(i & 3))) }
  }

  deinit {
    nodes.deinitialize(count: count)
    nodes.deallocate()
  }

  mutating func due(by now: UInt64) -> [Int: UInt64] {
    let due = model.filter { $0.value <= now }
    for key in due.keys { model[key] = nil }
    return due
  }
}

/// Numbers that are the same on every run (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z &>> 31)
  }
}

struct TimerWheelTests {
  /// Random operations against the model, from several starting points: among them just below the places where each
  /// digit of the position carries into the next.
  @Test(
    arguments: [0, 1, 63, 4095, 1 << 18 - 3, 1 << 36 - 100, 1 << 60 - 5, 0xfff_ffff_ffff, .max - 5_000_000] as [UInt64])
  func doesWhatAListWouldDo(start: UInt64) {
    var random = SeededGenerator(seed: start &+ 42)
    var bench = Bench(count: 200)
    let wheel = TimerWheel(now: start)
    var now = start
    for _ in 0..<20_000 {
      let i = Int.random(in: 0..<bench.count, using: &random)
      let node = bench.nodes + i
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3:
        let at = now &+ delay(&random, below: .max - now)
        wheel.schedule(node, at: at)
        bench.model[i] = max(at, now + 1)
      case 3..<6:
        let at = now &+ delay(&random, below: .max - now)
        wheel.scheduleLazily(node, at: at)
        bench.model[i] = max(at, now + 1)
      case 6:
        wheel.cancel(node)
        bench.model[i] = nil
      default:
        if let next = wheel.nextDeadline {
          #expect(next > now)
          #expect(next <= bench.model.values.min() ?? 0)
        } else {
          #expect(bench.model.isEmpty)
        }
        let step = min(delay(&random, below: 100_000), UInt64.max - now - 1_000)
        now += Int.random(in: 0..<4, using: &random) == 0 ? step : step & 31
        let expected = bench.due(by: now)
        var fired: [Int: UInt64] = [:]
        var last: UInt64 = 0
        wheel.advance(to: now) { node in
          let deadline = node.pointee.deadline
          let isScheduled = node.pointee.isScheduled
          #expect(!isScheduled && deadline >= last)
          last = deadline
          fired[Int(node.pointee.token)] = deadline
        }
        if fired != expected {
          Issue.record("at \(now): fired \(fired), expected \(expected)")
          return
        }
      }
      if wheel.count != bench.model.count {
        Issue.record("count \(wheel.count), expected \(bench.model.count)")
        return
      }
    }
  }

  /// Mostly short, seldom very long, at times in the past.
  private func delay(_ random: inout SeededGenerator, below limit: UInt64) -> UInt64 {
    let bits = Int.random(in: 0..<12, using: &random) == 0 ? 63 : Int.random(in: 0..<24, using: &random)
    return min(UInt64.random(in: 0...(1 << UInt64(bits)), using: &random), limit)
  }

  @Test func callbacksMayScheduleAndCancelAnything() {
    var random = SeededGenerator(seed: 7)
    let bench = Bench(count: 300)
    let wheel = TimerWheel(now: 1_000)
    let nodes = bench.nodes
    for i in 0..<bench.count { wheel.schedule(nodes + i, at: 1_000 + UInt64(i / 100)) }
    var now: UInt64 = 1_000
    var model: [Int: UInt64] = [:]
    for i in 0..<bench.count { model[i] = max(1_000 + UInt64(i / 100), 1_001) }
    for _ in 0..<2_000 {
      now += UInt64.random(in: 0...40, using: &random)
      var firedNow: Set<Int> = []
      wheel.advance(to: now) { node in
        let i = Int(node.pointee.token)
        #expect(firedNow.insert(i).inserted, "a timer fires once in an advance")
        guard let due = model.removeValue(forKey: i) else {
          Issue.record("timer \(i) fired without being scheduled")
          return
        }
        #expect(due <= now)
        // Half come back, some in the past; another one goes, often of the same slot.
        for victim in [i, (i + 1) % bench.count, Int.random(in: 0..<bench.count, using: &random)] {
          switch Int.random(in: 0..<4, using: &random) {
          case 0:
            wheel.cancel(nodes + victim)
            model[victim] = nil
          case 1:
            let at = now &- 5 &+ UInt64.random(in: 0...300, using: &random)
            wheel.schedule(nodes + victim, at: at)
            model[victim] = max(at, now + 1)
          case 2:
            let at = now + UInt64.random(in: 0...5_000, using: &random)
            wheel.scheduleLazily(nodes + victim, at: at)
            model[victim] = max(at, now + 1)
          default: break
          }
        }
      }
      if let missed = model.first(where: { $0.value <= now }) {
        Issue.record("timer \(missed.key) was due at \(missed.value), it is \(now)")
        return
      }
      if model.isEmpty {
        for i in 0..<bench.count {
          wheel.schedule(nodes + i, at: now + UInt64(i))
          model[i] = max(now + UInt64(i), now + 1)
        }
      }
      #expect(wheel.count == model.count)
    }
  }

  @Test func aCallbackThatReschedulesIntoThePastDoesNotLoop() {
    let bench = Bench(count: 1)
    let wheel = TimerWheel(now: 0)
    wheel.schedule(bench.nodes, at: 1)
    var fired = 0
    wheel.advance(to: 1_000_000) { node in
      fired += 1
      wheel.schedule(node, at: 0)
    }
    #expect(fired == 1)
    #expect(wheel.nextDeadline == 1_000_001)
    #expect(wheel.timeout(now: 1_000_000) == 1)
    #expect(wheel.timeout(now: 2_000_000) == 0)
  }

  @Test func puttingOffMovesNothingUntilTheOldPlaceComesUp() {
    let bench = Bench(count: 1)
    let wheel = TimerWheel(now: 0)
    wheel.scheduleLazily(bench.nodes, at: 50)
    for at in stride(from: UInt64(51), through: 1_000, by: 1) { wheel.scheduleLazily(bench.nodes, at: at) }
    #expect(wheel.nextDeadline == 50)
    var fired: [UInt64] = []
    for now in UInt64(0)...1_100 { wheel.advance(to: now) { _ in fired.append(now) } }
    #expect(fired == [1_000])
    wheel.scheduleLazily(bench.nodes, at: 2_000)
    wheel.scheduleLazily(bench.nodes, at: 1_200)
    wheel.advance(to: 1_200) { _ in fired.append(1_200) }
    #expect(fired == [1_000, 1_200], "bringing a deadline forward moves the timer at once")
  }

  @Test func anEmptyWheelWaitsForever() {
    let bench = Bench(count: 1)
    let wheel = TimerWheel(now: 5)
    #expect(wheel.timeout(now: 5) == -1)
    #expect(wheel.nextDeadline == nil)
    wheel.advance(to: 10) { _ in Issue.record("nothing was scheduled") }
    wheel.cancel(bench.nodes)
    wheel.schedule(bench.nodes, at: .max)
    #expect(wheel.timeout(now: 10) == .max)
    wheel.advance(to: 1 << 62) { _ in Issue.record("not due yet") }
    wheel.cancel(bench.nodes)
    wheel.cancel(bench.nodes)
    #expect(wheel.count == 0)
    #expect(wheel.timeout(now: 10) == -1)
  }

  @Test func timeThatGoesBackIsIgnored() {
    let bench = Bench(count: 1)
    let wheel = TimerWheel(now: 100)
    wheel.advance(to: 200) { _ in }
    wheel.schedule(bench.nodes, at: 150)
    wheel.advance(to: 150) { _ in Issue.record("the wheel is at 200 already") }
    var fired = false
    wheel.advance(to: 201) { _ in fired = true }
    #expect(fired)
  }

  @Test func aTimerIsSmall() { #expect(MemoryLayout<TimerNode>.stride <= 48) }
}
