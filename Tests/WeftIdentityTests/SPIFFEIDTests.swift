import Testing
import WeftIdentity

@Suite("SPIFFE IDs")
struct SPIFFEIDTests {
  @Test("are read and written")
  func roundTrip() throws {
    let id = try #require(SPIFFEID("spiffe://cluster.local/ns/default/sa/reviews"))
    #expect(id.trustDomain == "cluster.local")
    #expect(id.namespace == "default")
    #expect(id.name == "reviews")
    #expect(id.description == "spiffe://cluster.local/ns/default/sa/reviews")
    #expect(SPIFFEID(trustDomain: "cluster.local", namespace: "default", name: "reviews") == id)
  }

  @Test(
    "of any other form are none",
    arguments: [
      "", "spiffe://", "spiffe://a", "https://a/ns/b/sa/c", "spiffe://a/ns/b/sa/", "spiffe://a/ns//sa/c",
      "spiffe://a/ns/b/sa/c/", "spiffe://a/ns/b/sa/c/d", "spiffe://A/ns/b/sa/c", "spiffe://a/ns/B/sa/c",
      "spiffe://a:80/ns/b/sa/c", "spiffe://u@a/ns/b/sa/c", "spiffe://a/ns/b/sa/c?d", "spiffe://a/ns/b/sa/c#d",
      "spiffe://a/ns/../sa/c", "spiffe://a/ns/b/sa/-c", "spiffe://a/ns/b%2f/sa/c", "spiffe://a/sa/b/ns/c",
      "SPIFFE://a/ns/b/sa/c", "spiffe://ä/ns/b/sa/c",
    ])
  func refused(_ text: String) {
    #expect(SPIFFEID(text) == nil)
  }

  @Test("have a bounded length")
  func length() {
    #expect(SPIFFEID(trustDomain: String(repeating: "a", count: 255), namespace: "b", name: "c") != nil)
    #expect(SPIFFEID(trustDomain: String(repeating: "a", count: 256), namespace: "b", name: "c") == nil)
    #expect(SPIFFEID(trustDomain: "a", namespace: "b", name: String(repeating: "c", count: 254)) == nil)
    #expect(SPIFFEID("spiffe://a/ns/b/sa/" + String(repeating: "c", count: 4_000)) == nil)
  }
}
