import Foundation
import Testing
import WeftProtocol
import WeftStore

@testable import WeftControl

/// A proxy reads the Secrets that something of its own refers to, and no others.
@Suite struct SecretTests {
  private let secret = "v1/Secret"
  private let group = "gateway.networking.k8s.io"

  private func putSecret(_ plane: Plane, _ name: String, namespace: String = "default") async throws {
    try await plane.put(
      #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"\#(name)","namespace":"\#(namespace)"},"data":{}}"#,
      at: ResourceKey(group: "", kind: "Secret", namespace: namespace, name: name))
  }

  private func gateway(_ references: String) -> String {
    #"{"gatewayClassName":"weft","listeners":[{"name":"https","port":443,"protocol":"HTTPS","tls":{"certificateRefs":[\#(references)]}}]}"#
  }

  @Test func showsAGatewayItsOwn() async throws {
    try await Plane.with { plane in
      for name in ["mine", "theirs"] { try await putSecret(plane, name) }
      try await putSecret(plane, "far", namespace: "certs")
      try await plane.put("Gateway", "edge", group: group, gateway(#"{"name":"mine"}"#))
      try await plane.put("Gateway", "other", group: group, gateway(#"{"name":"theirs"}"#))
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(secret, "default/mine", "default/theirs", "certs/far", "@default", "*")
      let first = try await proxy.delta()
      #expect(first.resources.map(\.name) == ["default/mine"])
      #expect(first.removed == ["certs/far", "default/theirs"])
      #expect(first.answered == ["*", "@default", "certs/far", "default/mine", "default/theirs"])

      // A reference opens it; one to another namespace only with a grant of that namespace.
      try await plane.put(
        "Gateway", "edge", group: group,
        gateway(#"{"name":"theirs"},{"kind":"Secret","group":"","name":"far","namespace":"certs"}"#))
      let second = try await proxy.delta()
      #expect(second.resources.map(\.name) == ["default/theirs"] && second.removed == ["default/mine"])
      try await plane.put(
        "ReferenceGrant", "edge", group: group, namespace: "certs",
        #"{"from":[{"group":"gateway.networking.k8s.io","kind":"Gateway","namespace":"default"}],"to":[{"group":"","kind":"Secret","name":"far"}]}"#
      )
      #expect(try await proxy.delta().resources.map(\.name) == ["certs/far"])
      try await plane.delete("ReferenceGrant", "edge", group: group, namespace: "certs")
      #expect(try await proxy.delta().removed == ["certs/far"])
    }
  }

  @Test func showsASidecarNothingOfAGateway() async throws {
    try await Plane.with { plane in
      try await putSecret(plane, "mine")
      try await putSecret(plane, "policy")
      try await plane.put("Gateway", "reviews", group: group, gateway(#"{"name":"mine"}"#))
      try await plane.put(
        "ExtraPolicy", "p",
        #"{"targetRefs":[{"group":"weft.dev","kind":"Service","name":"reviews"}],"key":{"kind":"Secret","name":"policy"}}"#
      )
      let proxy = try await plane.connect(
        try await plane.join("reviews", kind: .sidecar), kind: .sidecar)
      proxy.subscribe(secret, "default/mine", "default/policy")
      let first = try await proxy.delta()
      #expect(first.resources.map(\.name) == ["default/policy"] && first.removed == ["default/mine"])
    }
  }
}
