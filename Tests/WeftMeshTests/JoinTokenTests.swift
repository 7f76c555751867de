import Foundation
import Testing

@testable import WeftMesh

@Suite("Join tokens, as the proxy reads them")
struct JoinTokenClaimsTests {
  private func token(_ claims: String) -> String {
    let body = Data(claims.utf8).base64EncodedString()
      .replacingOccurrences(of: "=", with: "").replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_")
    return "e30.\(body).c2ln"
  }

  @Test("say for whom they are, until when, and whom to believe")
  func reading() throws {
    let claims = try JoinTokenClaims.read(
      token(
        #"{"iss":"cluster.local","sub":"default/edge","kind":"gateway","exp":4000000000,"use":"once","ca":["sha256:AB","cd"]}"#
      ))
    #expect(claims.iss == "cluster.local" && claims.rootDigests == ["ab", "cd"])
    try claims.check(gatewayOptions())
    #expect(throws: MeshError.self) { try claims.check(gatewayOptions("other")) }
    #expect(throws: MeshError.self) { try claims.check(sidecarOptions("edge")) }
    #expect(throws: MeshError.self) { try claims.check(gatewayOptions(), now: 4_000_000_001) }
  }

  @Test("anything else is refused", arguments: ["", "a.b", "a.b.c", "....", "e30.e30.", "e30.!!!.e30"])
  func nonsense(text: String) {
    #expect(throws: MeshError.self) { try JoinTokenClaims.read(text) }
  }
}
