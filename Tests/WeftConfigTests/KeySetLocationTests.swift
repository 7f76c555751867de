import Testing

@testable import WeftConfig

@Suite struct KeySetLocationTests {
  @Test(arguments: [
    ("https://a.example/keys", true, "a.example", 443, "/keys", "a.example"),
    ("HTTPS://A.example", true, "a.example", 443, "/", "a.example"),
    ("http://localhost:8080/k?v=1", false, "localhost", 8080, "/k?v=1", "localhost:8080"),
    ("https://a.example?v=1", true, "a.example", 443, "/?v=1", "a.example"),
    ("https://[2001:db8::1]/keys", true, "2001:db8::1", 443, "/keys", "[2001:db8::1]"),
    ("https://[::1]:8443/keys", true, "::1", 8443, "/keys", "[::1]:8443"),
    ("http://10.0.0.1:80/", false, "10.0.0.1", 80, "/", "10.0.0.1"),
  ])
  func reads(_ uri: String, isTLS: Bool, host: String, port: Int, target: String, authority: String) throws {
    let location = try #require(KeySetLocation(uri))
    #expect(location.uri == uri && location.isTLS == isTLS && location.host == host && location.port == port)
    #expect(location.target == target && location.authority == authority)
  }

  @Test(arguments: [
    "", "https://", "https:///keys", "ftp://a.example/", "a.example/keys", "https://a.example:0/",
    "https://a.example:/k",
    "https://a.example:99999/", "https://user@a.example/", "https://a.example/keys#x", "https://a.example/a b",
    "https://a.example/\r\nhost: b", "https://[::1/", "https://[a.example]/", "https://[::1]x/", "https://::1/",
    "https://a.example\\@b/", "https://300.1.1.1/", "https://-a.example/", "https://ä.example/",
  ])
  func refuses(_ uri: String) {
    #expect(KeySetLocation(uri) == nil)
  }

  @Test func knowsThisMachine() throws {
    for uri in ["http://localhost/", "http://127.0.0.5:1/", "http://[::1]/"] {
      #expect(try #require(KeySetLocation(uri)).isLocal)
    }
    for uri in ["http://localhost.example/", "http://128.0.0.1/", "http://127.example/"] {
      #expect(try !#require(KeySetLocation(uri)).isLocal)
    }
  }

  @Test func plainHTTPIsAWarningBeyondThisMachine() {
    func warnings(_ uri: String) -> [String] {
      ConfigLoader.load(
        text: """
          {apiVersion: weft.dev/v1, kind: RequestAuthentication, metadata: {name: a}, spec: {jwtRules: [{issuer: a, \
          jwksUri: "\(uri)"}]}}
          """
      ).diagnostics.map(\.description).filter { $0.contains("use https") }
    }
    #expect(warnings("http://a.example/").count == 1)
    #expect(warnings("http://127.0.0.1/").isEmpty && warnings("https://a.example/").isEmpty)
  }
}
