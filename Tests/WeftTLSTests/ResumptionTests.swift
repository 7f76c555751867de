import Glibc
import TestCertificates
import Testing
import WeftIO

@testable import WeftTLS

@Suite struct ResumptionTests {
  let authority: TestAuthority
  let identity: TLSIdentity
  let trust: TrustStore

  init() throws {
    authority = try TestAuthority()
    identity = try authority.identity("server", names: ["DNS:a.test"])
    trust = try authority.trust
  }

  /// One connection that says a word each way, so that tickets arrive.
  func connect(
    _ names: TLSServerNames, _ context: TLSClientContext, _ store: UnsafeMutablePointer<TLSSessionStore>
  ) throws -> Bool {
    let pair = try Pair(names, context, store: store)
    try pair.established()
    #expect(pair.exchange("hi", from: pair.server, to: pair.client) == "hi")
    #expect(pair.server.isResumed == pair.client.isResumed)
    return pair.client.isResumed
  }

  func withStore<R>(_ body: (UnsafeMutablePointer<TLSSessionStore>) throws -> R) rethrows -> R {
    let store = UnsafeMutablePointer<TLSSessionStore>.allocate(capacity: 1)
    store.initialize(to: TLSSessionStore())
    defer {
      store.deinitialize(count: 1)
      store.deallocate()
    }
    return try body(store)
  }

  /// Tickets of TLS 1.3 are used once: each connection brings a new one.
  @Test func chainsOfConnectionsResume() throws {
    let context = try TLSClientContext(serverName: "a.test", trust: trust)
    let names = try port([identity])
    try withStore { store in
      for i in 0..<10 {
        let resumed = try connect(names, context, store)
        #expect(resumed == (i > 0))
      }
    }
  }

  @Test(arguments: [TLSVersion.v12, .v13])
  func asecondConnectionResumes(version: TLSVersion) throws {
    var settings = TLSSettings()
    settings.maximumVersion = version
    let context = try TLSClientContext(serverName: "a.test", trust: trust, settings: settings)
    let names = try port([identity])
    try withStore { store in
      let resumed1 = try connect(names, context, store)
      #expect(!resumed1)
      let resumed2 = try connect(names, context, store)
      #expect(resumed2)
    }
  }

  /// Each listener, and each configuration after a rotation, has contexts of its own; the keys are the process's.
  @Test func contextsWithTheSameKeysResumeEachOthersSessions() throws {
    let tickets = try TicketKeys()
    let context = try TLSClientContext(serverName: "a.test", trust: trust)
    let (first, second) = (try port([identity], tickets: tickets), try port([identity], tickets: tickets))
    try withStore { store in
      let resumed3 = try connect(first, context, store)
      #expect(!resumed3)
      let resumed4 = try connect(second, context, store)
      #expect(resumed4)
      let other = try connect(port([identity]), context, store)
      #expect(!other, "other keys")
    }
  }

  @Test func oldKeysServeTwoRotations() throws {
    let tickets = try TicketKeys()
    let context = try TLSClientContext(serverName: "a.test", trust: trust)
    let names = try port([identity], tickets: tickets)
    for (rotations, resumes) in [(1, true), (2, true), (3, false), (20, false)] {
      try withStore { store in
        let resumed5 = try connect(names, context, store)
        #expect(!resumed5)
        for _ in 0..<rotations { try tickets.rotate() }
        let resumed6 = try connect(names, context, store)
        #expect(resumed6 == resumes, "after \(rotations)")
      }
    }
  }

  @Test func otherDemandsOfTheServerEndASession() throws {
    let tickets = try TicketKeys()
    let context = try TLSClientContext(serverName: "a.test", trust: trust, identity: try authority.identity("c"))
    let open = try port([identity], tickets: tickets)
    let closed = try port([identity], validation: ClientValidation(mode: .require, trust: trust), tickets: tickets)
    try withStore { store in
      let resumed7 = try connect(open, context, store)
      #expect(!resumed7)
      let pair = try Pair(closed, context, store: store)
      try pair.established()
      #expect(!pair.server.isResumed)
      #expect(pair.server.isPeerVerified)
    }
  }

  @Test func aResumedClientKeepsItsIdentity() throws {
    let context = try TLSClientContext(
      serverName: "a.test", trust: trust, identity: try authority.identity("c", names: ["URI:spiffe://mesh/c"]))
    let names = try port([identity], validation: ClientValidation(mode: .require, trust: trust))
    try withStore { store in
      let resumed8 = try connect(names, context, store)
      #expect(!resumed8)
      let pair = try Pair(names, context, store: store)
      try pair.established()
      #expect(pair.server.isResumed)
      #expect(pair.server.isPeerVerified)
      #expect(pair.server.peerCertificate?.spiffeID == "spiffe://mesh/c")
    }
  }

  @Test func anotherClientContextDoesNotUseTheSessions() throws {
    let names = try port([identity])
    try withStore { store in
      let resumed9 = try connect(names, TLSClientContext(serverName: "a.test", trust: trust), store)
      #expect(resumed9 == false)
      let resumed10 = try connect(names, TLSClientContext(serverName: "a.test", trust: trust), store)
      #expect(resumed10 == false)
    }
  }
}
