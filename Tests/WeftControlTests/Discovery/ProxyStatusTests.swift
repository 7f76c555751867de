import Foundation
import Testing
import WeftControl

@Suite("The status of a proxy")
struct ProxyStatusTests {
  @Test("is written and read as JSON, with words for its states")
  func roundTrip() throws {
    let status = ProxyStatus(
      id: "sidecar/default/reviews/a", kind: .sidecar, namespace: "default", name: "reviews", instance: "a",
      version: "1.0.0", zone: "z", labels: ["version": "v2"], connectedSince: nil, lastSeen: 12.5, replica: "r",
      sync: .stale, revision: 3, latestRevision: 4, certificateNotAfter: 99,
      rejections: [
        ResourceRejection(
          type: "weft.dev/v1/Filter", name: "default/f", version: "2", message: "no", since: 1,
          proxy: "sidecar/default/reviews/a")
      ],
      bundles: [BundleStatus(name: "b", digest: "sha256:00", state: .rejected, error: "line 3: unexpected symbol")])
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let data = try encoder.encode(status)
    let text = String(decoding: data, as: UTF8.self)
    #expect(text.contains("\"sync\":\"stale\""))
    #expect(text.contains("\"kind\":\"sidecar\""))
    #expect(try JSONDecoder().decode(ProxyStatus.self, from: data) == status)
  }
}
