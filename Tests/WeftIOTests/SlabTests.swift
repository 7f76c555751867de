import Glibc
import Testing
import WeftIO

private struct Thing: ~Copyable {
  let slot: Int
  var generation: UInt32 = 0
  var live: UnsafeMutablePointer<Int>

  init(slot: Int, live: UnsafeMutablePointer<Int>) {
    self.slot = slot
    self.live = live
    live.pointee += 1
  }
  deinit { live.pointee -= 1 }
}

struct SlabTests {
  @Test func slotsKeepTheirAddressAndAreReused() {
    let live = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    live.initialize(to: 0)
    defer { live.deallocate() }
    do {
      let slab = Slab<Thing>()
      var pointers: [UnsafeMutablePointer<Thing>] = []
      for i in 0..<1_000 {
        let p = slab.take { Thing(slot: $0, live: live) }
        let slot = p.pointee.slot
        #expect(slot == i)
        pointers.append(p)
      }
      for i in 0..<1_000 {
        let same = slab[i] == pointers[i]
        #expect(same)
      }
      for i in stride(from: 0, to: 1_000, by: 2) {
        pointers[i].pointee.generation &+= 1
        slab.give(i)
      }
      let (used, made, has, hasNot) = (slab.live, slab.capacity, slab.contains(999), slab.contains(1_000))
      #expect(used == 500 && made == 1_000 && has && !hasNot)
      for i in stride(from: 998, through: 0, by: -2) {
        let p = slab.take { Thing(slot: $0, live: live) }
        let (slot, generation) = (p.pointee.slot, p.pointee.generation)
        #expect(slot == i && generation == 1, "last in, first out; the object is the old one")
      }
      let extra = slab.take { Thing(slot: $0, live: live) }
      let slot = extra.pointee.slot
      #expect(slot == 1_000)
      #expect(live.pointee == 1_001)
    }
    #expect(live.pointee == 0, "the slab destroys its objects")
  }
}

struct TokenTests {
  @Test func packsAndUnpacks() {
    for kind in [UInt8(0), 3, 7] {
      for slot in [0, 1, 12_345, 1 << 29 - 1] {
        for generation in [UInt32(0), 1, .max] {
          let token = Token(kind: kind, slot: slot, generation: generation)
          #expect(token.kind == kind && token.slot == slot && token.generation == generation)
          #expect(Token(raw: token.raw) == token)
        }
      }
    }
  }
}

struct ReactorTests {
  @Test func anEventForARecycledSlotIsRecognised() throws {
    let reactor = try Reactor(batch: 16)
    var old = SocketPair()
    var generation: UInt32 = 7
    try reactor.add(old.a, Token(kind: 1, slot: 3, generation: generation))
    #expect(Socket.send(old.b, [1], 1).count == 1)
    let n = reactor.wait(milliseconds: 10_000)
    #expect(n == 1)
    let event = reactor.token(0)
    #expect(reactor.readiness(0).readable && reactor.readiness(0).writable && !reactor.readiness(0).peerClosed)
    // An earlier event of the same batch closes the connection, and its slot is taken by another one.
    Socket.closeOnce(&old.a)
    generation &+= 1
    let next = SocketPair()
    try reactor.add(next.a, Token(kind: 1, slot: 3, generation: generation))
    #expect(event.slot == 3 && event.kind == 1 && event.generation != generation)
  }

  @Test func edgesAndEnds() throws {
    let reactor = try Reactor(batch: 4)
    let pair = SocketPair()
    try reactor.add(pair.a, Token(kind: 2, slot: 1, generation: 0))
    #expect(reactor.wait(milliseconds: 10_000) == 1)
    let (readable, writable) = (reactor.readiness(0).readable, reactor.readiness(0).writable)
    #expect(!readable && writable)
    #expect(reactor.wait(milliseconds: 0) == 0, "an edge is told once")
    #expect(Socket.shutdownWrite(pair.b))
    #expect(reactor.wait(milliseconds: 10_000) == 1)
    let (half, gone) = (reactor.readiness(0).peerClosed, reactor.readiness(0).failed)
    #expect(half && !gone)
    reactor.remove(pair.a)
    #expect(Socket.send(pair.b, [1], 1).failed)
    #expect(reactor.wait(milliseconds: 0) == 0)
  }

  @Test func levelTriggeredGoesOnToFire() throws {
    let reactor = try Reactor(batch: 4)
    let pair = SocketPair()
    let token = Token(kind: 0, slot: 9, generation: 1)
    try reactor.addLevelTriggered(pair.a, token)
    #expect(reactor.wait(milliseconds: 0) == 0)
    #expect(Socket.send(pair.b, [1], 1).count == 1)
    #expect(reactor.wait(milliseconds: 10_000) == 1)
    #expect(reactor.wait(milliseconds: 10_000) == 1)
    let same = reactor.token(0) == token
    #expect(same)
    try reactor.update(pair.a, token, readable: false, writable: false)
    #expect(reactor.wait(milliseconds: 0) == 0)
    try reactor.update(pair.a, token, readable: false, writable: true)
    #expect(reactor.wait(milliseconds: 10_000) == 1)
    let (readable, writable) = (reactor.readiness(0).readable, reactor.readiness(0).writable)
    #expect(!readable && writable)
  }

  @Test func moreEventsThanABatchTakes() throws {
    let reactor = try Reactor(batch: 2)
    let first = SocketPair()
    let second = SocketPair()
    for (i, fd) in [first.a, first.b, second.a, second.b].enumerated() {
      try reactor.add(fd, Token(kind: 0, slot: i, generation: 0))
    }
    var slots: [Int] = []
    while case let n = reactor.wait(milliseconds: 0), n > 0 {
      #expect(n <= 2)
      for i in 0..<n { slots.append(reactor.token(i).slot) }
    }
    #expect(slots.sorted() == [0, 1, 2, 3])
  }

  @Test func registeringWhatIsNotOpenFails() throws {
    let reactor = try Reactor(batch: 1)
    #expect(throws: SystemError.self) { try reactor.add(-1, Token(raw: 0)) }
  }
}
