import NIOHTTP1
import Testing
import WeftConfig
import WeftIdentity

@testable import WeftControl

@Suite("API: the certificate authority")
struct AuthorityAPITests {
  @Test("shows the roots, rotates them once at a time, revokes a workload, and notes all of it")
  func authority() async throws {
    try await Plane.with(lifetime: 600) { plane in
      try await APIScene.with(of: plane.plane) { api in
        let first = try await api.call(.GET, "/weft/v1/authority").json
        #expect(first["trustDomain"]?.string == "cluster.local" && first["certificateLifetimeSeconds"]?.int == 600)
        #expect(first["roots"]?.array?.map { $0["state"]?.string } == ["signing"])
        let root = try #require(first["roots"]?.array?.first?["fingerprint"]?.string)
        #expect(try CertificateList.read(first["rootsPEM"]?.string ?? "").map(\.fingerprint) == [root])

        let rotated = try await api.call(.POST, "/weft/v1/authority/rotate", "{}")
        #expect(rotated.status == 201, "\(rotated.text)")
        let next = try #require(rotated.json["root"]?.string)
        #expect(rotated.json["roots"]?.array?.compactMap { $0["state"]?.string } == ["signing", "next"])
        #expect(rotated.json["roots"]?.array?.compactMap { $0["fingerprint"]?.string } == [root, next])
        #expect(await plane.plane.authority.trust.fingerprints == [root, next])
        let again = try await api.call(.POST, "/weft/v1/authority/rotate", "{}")
        #expect(again.status == 409 && again.text.contains("a rotation is under way"), "\(again.text)")
        #expect(try await api.call(.POST, "/weft/v1/authority/rotate?force=1", "{}").status == 201)

        let member = try await plane.join("edge")
        let proxy = try await plane.connect(member)
        let revoked = try await api.call(
          .POST, "/weft/v1/authority/revocations", #"{"namespace":"default","name":"edge","reason":"stolen"}"#)
        #expect(revoked.status == 201, "\(revoked.text)")
        #expect(try await proxy.end().goodbye?.contains("revoked") == true)
        await #expect(throws: (any Error).self) { try await member.renew(plane.plane.discovery.port) }
        let shown = try await api.call(.GET, "/weft/v1/authority").json["revoked"]?.array?.first
        #expect(
          shown?["name"]?.string == "edge" && shown?["by"]?.string == "local" && shown?["reason"]?.string == "stolen")
        for wrong in ["{}", #"{"name":"A B"}"#, #"{"name":"../x"}"#] {
          #expect(try await api.call(.POST, "/weft/v1/authority/revocations", wrong).status == 422, "\(wrong)")
        }

        func verbs(_ query: String = "") async throws -> [String] {
          let entries = try await api.call(.GET, "/weft/v1/audit?limit=100\(query)").json["entries"]?.array ?? []
          return entries.compactMap { $0["verb"]?.string }
        }
        #expect(try await verbs("&of=changes") == ["workload revoke", "authority rotate", "authority rotate"])
        #expect(
          try await eventually { try await verbs("&of=identities") == ["certificate refuse", "certificate issue"] })
        // Newest first, both kinds.
        let all = try await verbs()
        #expect(all.first == "certificate refuse" && all.count == 5)
        let issued = try await api.call(.GET, "/weft/v1/audit?of=identities").json["entries"]?.array?.last
        #expect(issued?["who"]?.string == "spiffe://cluster.local/ns/default/sa/edge")
        #expect(issued?["changes"]?.array?.first?["subject"]?["serial"]?.string?.isEmpty == false)
        #expect(try await api.call(.GET, "/weft/v1/audit?of=nonsense").status == 400)
      }
    }
  }

  @Test("refusals beyond the limit of a minute are counted and not stored")
  func flood() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStoreForTests.open(folder)
    let clock = TestClock()
    let audit = IdentityAudit(store, log: .init(label: "test"), clock: { clock.now.timeIntervalSince1970 })
    for _ in 0..<500 { await audit.refused("certificate refuse", peer: "ipv4:10.0.0.1:1", reason: "no") }
    func entries() async throws -> [JSONValue] {
      try await AuditLog(store, prefix: IdentityAudit.prefix).entries(limit: 1_000)
    }
    #expect(try await eventually { try await entries().count == IdentityAudit.refusalsPerMinute })
    clock.advance(60)
    await audit.refused("certificate refuse", peer: "ipv4:10.0.0.1:1", reason: "no")
    #expect(try await eventually { try await entries().count == IdentityAudit.refusalsPerMinute + 1 })
    #expect(
      try await entries().contains { $0["changes"]?.array?.first?["subject"]?["omitted"]?.int == 440 })
    await store.close()
  }
}
