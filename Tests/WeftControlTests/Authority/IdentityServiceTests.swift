import Foundation
import GRPCCore
import Synchronization
import Testing
import WeftIdentity
import WeftProtocol
import WeftStore

@testable import WeftControl

/// Who gets a certificate, and who gets in with it.
@Suite struct IdentityServiceTests {
  private func code(_ body: () async throws -> some Any) async throws -> RPCError.Code? {
    do {
      _ = try await body()
      return nil
    } catch let error as RPCError { return error.code }
  }

  @Test func signsForATokenAndForACertificate() async throws {
    try await Plane.with(lifetime: 600) { plane in
      let port = plane.plane.discovery.port
      let member = try await plane.join("reviews", namespace: "shop", kind: .sidecar)
      #expect(member.id.description == "spiffe://cluster.local/ns/shop/sa/reviews")
      #expect(abs(Double(member.notAfter) - Date().timeIntervalSince1970 - 600) < 60)
      let renewed = try await member.renew(port)
      #expect(renewed.id == member.id && renewed.chain != member.chain)
      _ = try await plane.connect(renewed)
      // A shorter life is given, a longer one is not.
      let short = try await Member.join(port, token: try await plane.token(), ttl: 60)
      #expect(Double(short.notAfter) - Date().timeIntervalSince1970 < 61)
      let long = try await Member.join(port, token: try await plane.token(), ttl: 1_000_000)
      #expect(Double(long.notAfter) - Date().timeIntervalSince1970 < 601)
    }
  }

  @Test func takesATokenOnceOrOften() async throws {
    try await Plane.with { plane in
      let port = plane.plane.discovery.port
      let once = try await plane.token()
      let key = WorkloadKey()
      _ = try await Member.join(port, token: once, key: key)
      #expect(try await code { try await Member.join(port, token: once) } == .permissionDenied)
      // The answer was lost, and the same proxy asks again.
      _ = try await Member.join(port, token: once, key: key)
      let many = try await plane.token(use: .many)
      for _ in 0..<3 { _ = try await Member.join(port, token: many) }
      // At once: one of them gets it.
      let contested = try await plane.token()
      let won = try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 {
          group.addTask { try await code { try await Member.join(port, token: contested) } == nil }
        }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(won == 1)
    }
  }

  @Test func refusesEverybodyElse() async throws {
    let other = try await Plane(trustDomain: "other.example")
    try await Plane.with { plane in
      let port = plane.plane.discovery.port
      let member = try await plane.join()
      let attempts: [(String, RPCError.Code, @Sendable () async throws -> Void)] = [
        (
          "an expired token", .permissionDenied,
          {
            let token = try await plane.token(lifetime: 1)
            try await Task.sleep(for: .milliseconds(2_100))
            _ = try await Member.join(port, token: token)
          }
        ),
        (
          "a token for somebody else", .permissionDenied,
          {
            let wanted = SPIFFEID(trustDomain: "cluster.local", namespace: "default", name: "admin")
            _ = try await Member.join(port, token: try await plane.token(), id: wanted)
          }
        ),
        (
          "a renewal as somebody else", .permissionDenied,
          {
            let wanted = SPIFFEID(trustDomain: "cluster.local", namespace: "default", name: "admin")
            _ = try await member.renew(port, as: wanted)
          }
        ),
        (
          "no token and no certificate", .permissionDenied,
          {
            var request = Weft_Discovery_V1_SignRequest()
            request.csr = Data(try WorkloadKey().signingRequest(for: member.id))
            let asked = request
            _ = try await withConnection(port, member.withoutCertificate) { client in
              try await Weft_Discovery_V1_Identity.Client(wrapping: client).sign(asked)
            }
          }
        ),
        (
          "a request that is none", .permissionDenied,
          {
            var request = Weft_Discovery_V1_SignRequest()
            request.csr = Data([1, 2, 3])
            request.joinToken = try await plane.token()
            let asked = request
            _ = try await withConnection(port, member.withoutCertificate) { client in
              try await Weft_Discovery_V1_Identity.Client(wrapping: client).sign(asked)
            }
          }
        ),
      ]
      for (name, expected, attempt) in attempts {
        #expect(try await code(attempt) == expected, "\(name)")
      }
      // Streams: without certificate, of another mesh, of another authority with our names, expired.
      var foreign = try await other.join()
      foreign.roots = member.roots
      var forged = member
      let forger = try CertificateAuthority.makeRoot(trustDomain: "cluster.local")
      forged.chain = try forger.issue(member.id, for: member.key.publicKey, lifetime: 60).chainPEM
      var expired = try await Member.join(port, token: try await plane.token(), ttl: 1)
      expired.roots = member.roots
      try await Task.sleep(for: .milliseconds(2_100))
      for (name, security) in [
        ("no certificate", member.withoutCertificate), ("another mesh", foreign.security), ("forged", forged.security),
        ("expired", expired.security),
      ] {
        let error = try await TestProxy(port, security).end().error
        #expect(error?.code == .unauthenticated, "\(name): \(String(describing: error))")
      }
      // A foreign token.
      let token = try await other.token()
      await #expect(throws: (any Error).self) { try await Member.join(port, token: token) }
    }
    try await other.stop()
  }

  @Test func revokesAWorkload() async throws {
    try await Plane.with { plane in
      let port = plane.plane.discovery.port
      let member = try await plane.join()
      let old = try await plane.token()
      let proxy = try await plane.connect(member)
      let bystander = try await plane.connect(try await plane.join("other"))
      try await plane.plane.authority.revoke(namespace: "default", name: "edge", by: "test", reason: "key lost")
      #expect(try await proxy.end().goodbye?.contains("revoked") == true)
      #expect(try await TestProxy(port, member).end().error?.code == .unauthenticated)
      #expect(try await code { try await member.renew(port) } == .permissionDenied)
      #expect(try await code { try await Member.join(port, token: old) } == .permissionDenied)
      #expect(try await bystander.isSilent())
      // A new token lets it in again; and a restart forgets nothing.
      let again = try await Member.join(port, token: try await plane.token())
      _ = try await plane.connect(again)
      #expect(await plane.plane.status.events(after: 0).contains { $0.reason == "Revoked" })
    }
  }

  @Test func cutsStreamsWhoseCertificateEnds() async throws {
    try await Plane.with { plane in
      let proxy = try await plane.connect(try await plane.join())
      let now = Date().timeIntervalSince1970
      await plane.plane.hub.sweep(at: now + 3_000)
      #expect(try await proxy.isSilent())
      await plane.plane.hub.sweep(at: now + 3_700)
      #expect(try await proxy.end().goodbye?.contains("certificate") == true)
    }
  }

  @Test func sendsAwayWhoSaysNothing() async throws {
    var options = DiscoveryHub.Options()
    options.helloTime = 0.5
    try await Plane.with(hub: options) { plane in
      let proxy = try TestProxy(plane.plane.discovery.port, try await plane.join())
      #expect(try await proxy.end().goodbye?.contains("hello") == true)
    }
  }

  @Test func rotatesTheRootWithoutCuttingAnybodyOff() async throws {
    let clock = MovingClock()
    let plane = try await Plane(clock: { clock.now })
    let port = plane.plane.discovery.port
    let authority = plane.plane.authority
    let before = await authority.trust.fingerprints
    let first = try await plane.join()
    let new = try await authority.rotateRoot()
    #expect(await authority.trust.fingerprints == before + [new])
    // Everybody who renews learns of it; the old one still signs, so that those who have not yet are understood.
    let second = try await first.renew(port)
    #expect(try CertificateList.read(second.roots).map(\.fingerprint) == before + [new])
    func signer(_ member: Member) throws -> String { try CertificateList.read(member.chain)[0].issuer.description }
    #expect(try signer(second) == signer(first))
    clock.advance(3_601)
    let third = try await second.renew(port)
    #expect(try signer(third) != signer(first))
    // A certificate of the old root is as good as one of the new.
    _ = try await plane.connect(second, instance: "old")
    _ = try await plane.connect(third, instance: "new")
    clock.advance(3_600)
    #expect(await authority.trust.fingerprints == [new])
    #expect(try await TestProxy(port, second).end().error?.code == .unauthenticated)
    _ = try await plane.connect(third, instance: "later")
    try await plane.stop()
  }

  /// A clock that a test moves.
  private final class MovingClock: Sendable {
    private let offset = Mutex(0.0)
    var now: Double { offset.withLock { $0 } + Date().timeIntervalSince1970 }
    func advance(_ seconds: Double) { offset.withLock { $0 += seconds } }
  }
}
