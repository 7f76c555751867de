import Foundation
import Testing
import WeftIdentity

@testable import WeftMesh

@Suite("Join tokens, as the proxy reads them")
struct JoinTokenTests {
  private static let root = String(repeating: "ab", count: 32)

  private func text() async throws -> String {
    let workload = try #require(SPIFFEID(trustDomain: "cluster.local", namespace: "default", name: "edge"))
    let token = try JoinToken(workload: workload, kind: .gateway, use: .once, lifetime: 600, roots: [Self.root])
    return try await JoinTokenKey().sign(token)
  }

  @Test("say for whom they are, until when, and whom to believe")
  func reading() async throws {
    let text = try await text()
    let token = try JoinToken(text, for: gatewayOptions())
    #expect(token.workload.description == "spiffe://cluster.local/ns/default/sa/edge" && token.roots == [Self.root])
    #expect(throws: MeshError.self) { try JoinToken(text, for: gatewayOptions("other")) }
    #expect(throws: MeshError.self) { try JoinToken(text, for: sidecarOptions("edge")) }
    let later = Date().timeIntervalSince1970 + 601
    #expect(throws: MeshError.self) { try JoinToken(text, for: gatewayOptions(), now: later) }
  }

  @Test("anything else is refused", arguments: ["", "a.b", "a.b.c", "....", "e30.e30.", "e30.!!!.e30"])
  func nonsense(text: String) {
    #expect(throws: MeshError.self) { try JoinToken(text, for: gatewayOptions()) }
  }
}
