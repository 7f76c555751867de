import Foundation
import NIOHTTP1
import Testing
import WeftConfig
import WeftIdentity

@testable import WeftControl

/// The description of the API is held against what the server answers.
@Suite("API: description and metrics")
struct OpenAPITests {
  @Test("every operation of the document is there, and every answer is one that it names")
  func operations() async throws {
    try await APIScene.with { api in
      let document = try await api.call(.GET, "/openapi.json").json
      #expect(document["openapi"]?.string == "3.1.0")
      let paths = try #require(document["paths"]?.object)
      #expect(paths.count > 2 * ResourceType.all.count)
      for type in ResourceType.all {
        for version in type.versions { #expect(paths[type.path(version: version)] != nil) }
      }
      for (path, item) in paths {
        // A name that nothing has; a watch would not end.
        var concrete = path
        for name in ["namespace", "name", "group", "kind", "instance", "reference", "digest"] {
          concrete = concrete.replacing(
            "{\(name)}", with: name == "kind" ? "Filter" : name == "group" ? "weft.dev" : "none")
        }
        #expect(!concrete.contains("{"), "\(path)")
        for (method, operation) in item.object ?? [:] {
          let verb = HTTPMethod(rawValue: method.uppercased())
          let types = operation["requestBody"]?["content"]?.object?.keys.sorted() ?? []
          for type in types.isEmpty ? [nil] : types.map({ Optional($0) }) {
            let answer = try await api.call(verb, concrete, type == nil ? nil : "{}", type: type)
            let isPlainMissing = answer.json["detail"]?.string?.hasPrefix("nothing is") == true
            #expect(
              ![405, 415, 500].contains(answer.status) && !isPlainMissing,
              "\(method) \(path) \(type ?? ""): \(answer.text)")
            let named = operation["responses"]?.object ?? [:]
            if answer.status < 300 {
              #expect(named["\(answer.status)"] != nil, "\(method) \(path): \(answer.status)")
            } else {
              #expect(named["default"] != nil && answer.type == "application/problem+json", "\(method) \(path)")
            }
          }
          for other in ["get", "post", "put", "patch", "delete"] where item[other] == nil && path.hasPrefix("/api") {
            let answer = try await api.call(HTTPMethod(rawValue: other.uppercased()), concrete, "{}")
            #expect(answer.status == 405, "\(other) \(path): \(answer.status)")
          }
        }
      }
      // References lead somewhere.
      let text = document.text
      for part in text.split(separator: "#/components/schemas/").dropFirst() {
        let name = String(part.prefix { $0 != "\"" })
        #expect(document["components"]?["schemas"]?[name] != nil, "\(name)")
      }
    }
  }

  @Test("every endpoint of the code is in docs/api.md")
  func documented() async throws {
    let root = #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
    let page = try String(contentsOfFile: root + "/docs/api.md", encoding: .utf8)
    let resources = ResourceService(EmptyStore())
    let registry = BundleRegistry(resources.store, blobs: BlobStore(folder: "/"))
    let folder = try TemporaryFolder()
    let store = try await SQLiteStoreForTests.open(folder)
    let authority = try await Authority(
      store, sealing: SealingKey(), options: Authority.Options(), log: .init(label: "test"))
    let server = APIServer(
      APIOptions(), resources: resources, mesh: NoProxies(), authority: authority, registry: registry,
      log: .init(label: "test"))
    for endpoint in server.endpoints {
      #expect(
        page.contains("`\(endpoint.method.rawValue) \(endpoint.path)`"), "\(endpoint.method.rawValue) \(endpoint.path)")
      for parameter in endpoint.query { #expect(page.contains("`\(parameter)`"), "\(endpoint.path)?\(parameter)") }
    }
    await store.close()
  }

  @Test("metrics are in Prometheus' format, and count requests")
  func metrics() async throws {
    try await APIScene.with { api in
      _ = try await api.call(.GET, "/healthz")
      _ = try await api.call(.GET, "/none")
      let page = try await api.call(.GET, "/metrics")
      #expect(page.type.hasPrefix("text/plain; version=0.0.4"))
      #expect(page.text.contains("weft_control_api_requests_total{method=\"GET\",code=\"200\"} 1\n"))
      #expect(page.text.contains("weft_control_api_requests_total{method=\"GET\",code=\"404\"} 1\n"))
      #expect(page.text.contains("weft_control_api_request_duration_seconds_bucket{le=\"+Inf\"} 2\n"))
      var families: Set<String> = []
      for line in page.text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
        let name = String(line.split(separator: " ")[2])
        #expect(families.insert(name).inserted && page.text.contains("# HELP \(name) "), "\(name)")
      }
      #expect(try await api.call(.GET, "/readyz").status == 200)
      await api.resources.store.close()
      #expect(try await api.call(.GET, "/readyz").status == 503)
      #expect(try await api.call(.GET, "/healthz").status == 200)
    }
  }

  @Test("docs/api.md lists every metric as the code has it, and nothing else")
  func metricsAreDocumented() async throws {
    let root = #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
    let document = try String(contentsOfFile: root + "/docs/api.md", encoding: .utf8)
    var documented: [String: String] = [:]
    for line in document.split(separator: "\n") where line.hasPrefix("| `weft_") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      documented[cells[0].trimmingCharacters(in: ["`"])] = "\(cells[1]) \(cells[3])"
    }
    try await Plane.with { plane in
      try await APIScene.with(metrics: plane.plane.metrics) { api in
        let page = try await api.call(.GET, "/metrics").text
        var shown: [String: String] = [:]
        for line in page.split(separator: "\n") where line.hasPrefix("# HELP ") {
          let words = line.split(separator: " ", maxSplits: 3).map(String.init)
          let kind = page.split(separator: "\n").first { $0.hasPrefix("# TYPE \(words[2]) ") }?.split(separator: " ")
            .last
          shown[words[2]] = "\(kind ?? "") \(words[3])"
        }
        #expect(shown == documented)
      }
    }
  }
}
