import Foundation
import Testing

@testable import WeftIdentity

@Suite struct JoinTokenTests {
  private func make(lifetime: Int64 = 60, domain: String = "cluster.local") throws -> JoinToken {
    let id = try #require(SPIFFEID(trustDomain: domain, namespace: "shop", name: "reviews"))
    return try JoinToken(
      workload: id, kind: .sidecar, use: .once, lifetime: lifetime,
      roots: [String](repeating: String(repeating: "a", count: 64), count: 2))
  }

  @Test func saysWhatItWasMadeWith() async throws {
    let key = JoinTokenKey()
    let token = try make()
    let text = try await key.sign(token)
    // The proxy reads it, without a key to check it with.
    let read = try JoinToken(unverified: text)
    #expect(read.workload == token.workload && read.roots == token.roots && read.use == .once && read.kind == .sidecar)
    let checked = try await JoinTokenKey.verify(text, with: [JoinTokenKey(), key], trustDomain: "cluster.local")
    #expect(checked.id == token.id && checked.expires == token.expires)
    let again = try JoinTokenKey(id: key.id, pem: key.pem)
    #expect(try await JoinTokenKey.verify(text, with: [again], trustDomain: "cluster.local").id == token.id)
  }

  @Test func refusesWhatIsForgedForeignOrOld() async throws {
    let key = JoinTokenKey()
    let text = try await key.sign(try make())
    await #expect(throws: IdentityError.self) {
      try await JoinTokenKey.verify(text, with: [JoinTokenKey()], trustDomain: "cluster.local")
    }
    await #expect(throws: IdentityError.self) {
      try await JoinTokenKey.verify(
        text, with: [key], trustDomain: "cluster.local", now: Date().addingTimeInterval(61))
    }
    let foreign = try await key.sign(try make(domain: "other.example"))
    await #expect(throws: IdentityError.self) {
      try await JoinTokenKey.verify(foreign, with: [key], trustDomain: "cluster.local")
    }
    // Other claims under the same signature; no signature; no algorithm.
    let parts = text.split(separator: ".").map(String.init)
    let other = try await JoinTokenKey().sign(try make(lifetime: 600)).split(separator: ".").map(String.init)
    let none = Data(#"{"alg":"none","typ":"JWT"}"#.utf8).base64EncodedString().replacing("=", with: "")
    for forged in [
      "\(parts[0]).\(other[1]).\(parts[2])", "\(parts[0]).\(parts[1]).", "\(none).\(parts[1]).", "", "a.b", "a.b.c",
      String(repeating: "a", count: 10_000),
    ] {
      await #expect(throws: IdentityError.self) {
        try await JoinTokenKey.verify(forged, with: [key], trustDomain: "cluster.local")
      }
    }
    #expect(throws: IdentityError.self) { try make(lifetime: 0) }
    #expect(throws: IdentityError.self) { try make(lifetime: 31 * 86_400) }
  }
}
