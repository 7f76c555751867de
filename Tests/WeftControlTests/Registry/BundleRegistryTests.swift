import AsyncHTTPClient
import Foundation
import NIOCore
import Testing
import WeftBundle
import WeftConfig
import WeftCrypto
import WeftStore

@testable import WeftControl

@Suite("API: bundles")
struct BundleRegistryTests {
  private static let root = #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }

  private static func archive(_ version: String = "1.0.0", script: String = "function on_request(r) end") throws
    -> WeftBundle.Bundle
  {
    let folder = try TemporaryFolder()
    try "name: greeting\nversion: \(version)\n".write(
      toFile: folder.path + "/bundle.yaml", atomically: true, encoding: .utf8)
    try script.write(toFile: folder.path + "/main.lua", atomically: true, encoding: .utf8)
    let bundle = try WeftBundle.Bundle(folder: folder.path)
    return try WeftBundle.Bundle(archive: bundle.archive, place: "greeting")
  }

  private func push(_ api: APIScene, _ bytes: [UInt8], tags: String = "", type: String = "application/octet-stream")
    async throws -> APIScene.Answer
  {
    var request = api.request(.POST, "/weft/v1/bundles" + (tags.isEmpty ? "" : "?tags=\(tags)"))
    request.headers.add(name: "content-type", value: type)
    request.body = .bytes(ByteBuffer(bytes: bytes))
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
    let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
    return APIScene.Answer(
      status: Int(response.status.code), type: response.headers.first(name: "content-type") ?? "", text: text,
      warnings: [])
  }

  @Test("push, tags, pull, and what is refused")
  func life() async throws {
    try await APIScene.with { api in
      let bundle = try Self.archive()
      let digest = bundle.digest.description
      let pushed = try await push(api, bundle.archive, tags: "stable,latest")
      #expect(pushed.status == 201 && pushed.json["digest"]?.string == digest, "\(pushed.text)")
      #expect(try await push(api, bundle.archive).status == 200)
      let other = try Self.archive(script: "function on_response(r) end")
      let changed = try await push(api, other.archive)
      #expect(changed.status == 409 && changed.json["detail"]?.string?.contains("1.0.0 was pushed before") == true)
      let next = try Self.archive("1.1.0", script: "function on_response(r) end")
      #expect(try await push(api, next.archive).status == 201)
      #expect(try await api.call(.GET, "/weft/v1/bundles/greeting/stable").json["digest"]?.string == digest)
      let moved = try await api.call(.PUT, "/weft/v1/bundles/greeting/stable", #"{"to":"1.1.0"}"#)
      #expect(moved.json["digest"]?.string == next.digest.description, "\(moved.text)")
      #expect(try await api.call(.GET, "/weft/v1/bundles").json["bundles"]?.array?.count == 4)
      let response = try await HTTPClient.shared.execute(
        api.request(.GET, "/weft/v1/blobs/\(digest)"), timeout: .seconds(60))
      #expect(Array(try await response.body.collect(upTo: 1 << 20).readableBytesView) == bundle.archive)
      for (path, status) in [
        ("/weft/v1/bundles/none/1.0.0", 404), ("/weft/v1/bundles/greeting/none", 404),
        ("/weft/v1/blobs/sha256:00", 404), ("/weft/v1/blobs/..%2f..%2fweft.db", 404),
        ("/weft/v1/blobs/\(digest)/signatures", 404),
      ] { #expect(try await api.call(.GET, path).status == status, "\(path)") }
      for tag in ["1.0.0", "Stable", "a/b", "-x", ""] {
        let path =
          "/weft/v1/bundles/greeting/" + (tag.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        let answer = try await api.call(.PUT, path, #"{"to":"1.0.0"}"#)
        #expect(answer.status == 422 || answer.status == 404 || answer.status == 405, "\(tag): \(answer.status)")
      }
      #expect(try await push(api, Array("no archive".utf8)).status == 422)
      #expect(try await push(api, bundle.archive, type: "text/plain").status == 415)
      var damaged = bundle.archive
      damaged[600] ^= 1
      #expect(try await push(api, damaged).status == 422)
    }
  }

  @Test("signatures lie beside the archive, and must be of it")
  func signatures() async throws {
    try await APIScene.with { api in
      let bundle = try Self.archive()
      _ = try await push(api, bundle.archive)
      let path = "/weft/v1/blobs/\(bundle.digest)/signatures"
      var signatures = BundleSignatures(of: bundle.digest)
      try signatures.sign(with: try Ed25519.SigningKey.generate())
      let text = signatures.text
      #expect(try await api.yaml(.PUT, path, text).status == 200)
      #expect(try await api.call(.GET, path).text == text)
      #expect(try await api.yaml(.PUT, path, text.replacing("sha256:", with: "sha256:0")).status == 422)
      #expect(try await api.yaml(.PUT, path, "digest: \(bundle.digest)\nsignatures: []\n").status == 422)
      let another = BundleSignatures(of: try SHA256Digest(of: Array("another".utf8))).digest
      let foreign = try await api.yaml(
        .PUT, path, text.replacing("\(bundle.digest)", with: "\(another)"))
      #expect(foreign.status == 422 && foreign.text.contains("these are signatures of \(another)"), "\(foreign.text)")
      let unknown = "/weft/v1/blobs/sha256:\(String(repeating: "0", count: 64))/signatures"
      #expect(try await api.yaml(.PUT, unknown, text).status == 404)
    }
  }

  @Test("what a FilterBundle uses is neither deleted nor collected, and what nothing refers to is, after an hour")
  func collection() async throws {
    try await APIScene.with { api in
      let used = try Self.archive()
      let unused = try Self.archive("1.1.0", script: "function on_response(r) end")
      for bundle in [used, unused] { _ = try await push(api, bundle.archive) }
      let resource =
        "apiVersion: weft.dev/v1\nkind: FilterBundle\nmetadata: {name: greeting}\nspec: {digest: \"\(used.digest)\"}\n"
      #expect(
        try await api.yaml(.POST, "/apis/weft.dev/v1/namespaces/default/filterbundles", resource).status == 201)
      let kept = try await api.call(.DELETE, "/weft/v1/bundles/greeting/1.0.0")
      #expect(kept.status == 409 && kept.text.contains("FilterBundle default/greeting"), "\(kept.text)")
      #expect(try await api.call(.DELETE, "/weft/v1/bundles/greeting/1.1.0").status == 200)
      func collect(_ query: String = "") async throws -> [String] {
        let answer = try await api.call(.POST, "/weft/v1/blobs/collect\(query)", "{}")
        return answer.json["removed"]?.array?.compactMap { $0["digest"]?.string } ?? []
      }
      #expect(try await collect().isEmpty, "it was pushed a moment ago")
      // As if it had been pushed two hours ago.
      for bundle in [used, unused] {
        let file = try #require(api.registry.blobs.path(of: bundle.digest.description))
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSinceNow: -7_200)], ofItemAtPath: file)
      }
      #expect(try await collect("?dryRun=All") == [unused.digest.description])
      #expect(try await collect() == [unused.digest.description])
      #expect(try await collect().isEmpty)
      #expect(try await api.call(.GET, "/weft/v1/blobs/\(used.digest)").status == 200)
      #expect(try await api.call(.GET, "/weft/v1/blobs/\(unused.digest)").status == 404)
    }
  }

  @Test("neither the candidate of a rollout nor the version before it is collected")
  func rollout() async throws {
    try await APIScene.with { api in
      let bundles = try (0..<3).map { try Self.archive("1.\($0).0", script: "function on_request(r) end -- \($0)") }
      for bundle in bundles { _ = try await push(api, bundle.archive) }
      let digests = bundles.map(\.digest.description)
      let resource = """
        apiVersion: weft.dev/v1
        kind: FilterBundle
        metadata: {name: greeting}
        spec: {digest: "\(digests[0])", rollout: {candidate: "\(digests[1])"}}
        """
      #expect(
        try await api.yaml(.POST, "/apis/weft.dev/v1/namespaces/default/filterbundles", resource).status == 201)
      let kept = try await api.call(.DELETE, "/weft/v1/bundles/greeting/1.1.0")
      #expect(kept.status == 409, "\(kept.text)")
      // What a rollout has left in the status, as the version to go back to.
      let key = ResourceKey(group: "weft.dev", kind: "FilterBundle", namespace: "default", name: "greeting")
      let status = Array(#"{"rollout":{"from":"\#(digests[2])"}}"#.utf8)
      try await api.registry.store.commit(Transaction([.put(key.statusPath, status, lease: nil)]))
      for (bundle, digest) in zip(bundles, digests) {
        let version = bundle.manifest.version.description
        try await api.registry.store.commit(Transaction([.delete("/bundles/greeting/versions/\(version)")]))
        let file = try #require(api.registry.blobs.path(of: digest))
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSinceNow: -7_200)], ofItemAtPath: file)
      }
      let answer = try await api.call(.POST, "/weft/v1/blobs/collect", "{}")
      #expect(answer.json["removed"]?.array?.isEmpty == true, "\(answer.text)")
    }
  }

  @Test("every shipped bundle can be pushed", arguments: ["tenant-tag", "path-guard"])
  func shipped(_ name: String) async throws {
    try await APIScene.with { api in
      let bundle = try WeftBundle.Bundle(folder: "\(Self.root)/filters/\(name)")
      #expect(try await push(api, bundle.archive).json["name"]?.string == name)
    }
  }
}
