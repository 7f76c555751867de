import Foundation
import Testing
import X509

@testable import WeftIdentity

@Suite struct TrustBundleTests {
  private let domain = "cluster.local"

  private func issue(
    _ authority: CertificateAuthority, domain: String = "cluster.local", lifetime: Double = 60, now: Date = Date()
  ) throws -> [Certificate] {
    let id = try #require(SPIFFEID(trustDomain: domain, namespace: "default", name: "a"))
    let issued = try authority.issue(id, for: WorkloadKey().publicKey, lifetime: lifetime, now: now)
    return [issued.certificate] + issued.intermediates
  }

  @Test func knowsTheWorkloadsOfItsRoots() async throws {
    let old = try CertificateAuthority.makeRoot(trustDomain: domain)
    let new = try CertificateAuthority.makeRoot(trustDomain: domain)
    let both = TrustBundle(trustDomain: domain, roots: [old.root, new.root])
    #expect(try await both.workload(try issue(old)).name == "a")
    #expect(try await both.workload(try issue(new)).name == "a")
    #expect(both.fingerprints.count == 2 && both.fingerprints[0] != both.fingerprints[1])
    #expect(try Certificate.all(inPEM: both.pem) == both.roots)
    await #expect(throws: IdentityError.self) {
      try await TrustBundle(trustDomain: domain, roots: [new.root]).workload(try issue(old))
    }
  }

  @Test func refusesEverythingElse() async throws {
    let authority = try CertificateAuthority.makeRoot(trustDomain: domain)
    let trust = TrustBundle(trustDomain: domain, roots: [authority.root])
    let later = Date().addingTimeInterval(120)
    for chain in [
      [], [authority.root], try issue(authority, domain: "other.example"),
      try issue(authority, now: Date().addingTimeInterval(-3_600)),
      try issue(authority, now: Date().addingTimeInterval(3_600)),
    ] {
      await #expect(throws: IdentityError.self) { try await trust.workload(chain) }
    }
    await #expect(throws: IdentityError.self) { try await trust.workload(try issue(authority), now: later) }
    let server = try authority.issueServer(
      names: ["localhost"], addresses: [], for: WorkloadKey().publicKey, lifetime: 60)
    await #expect(throws: IdentityError.self) { try await trust.workload([server.certificate]) }
  }

  @Test func sealsForOnePurposeAndOneKey() throws {
    let key = SealingKey()
    let sealed = try key.seal("secret", for: "key of the authority")
    #expect(!sealed.contains("secret"))
    #expect(try SealingKey(text: key.text + "\n").open(sealed, for: "key of the authority") == "secret")
    #expect(throws: IdentityError.self) { try key.open(sealed, for: "another") }
    #expect(throws: IdentityError.self) { try SealingKey().open(sealed, for: "key of the authority") }
    #expect(throws: IdentityError.self) { try key.open(String(sealed.dropLast(8)), for: "key of the authority") }
    #expect(throws: IdentityError.self) { try SealingKey(text: "c2hvcnQ=") }
  }
}
