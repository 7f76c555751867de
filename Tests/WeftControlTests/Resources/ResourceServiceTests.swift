import Foundation
import Testing
import WeftConfig
import WeftStore

@testable import WeftControl

@Suite("Resources")
struct ResourceServiceTests {
  private let folder: TemporaryFolder
  private let store: SQLiteStore
  private let service: ResourceService
  private let author = Author(name: "token:ann", role: "editor", address: "127.0.0.1")

  init() async throws {
    folder = try TemporaryFolder()
    store = try await SQLiteStore(folder: folder.path)
    service = ResourceService(store)
  }

  private func write(
    _ changes: ResourceChange..., options: WriteOptions = WriteOptions()
  ) async throws -> WriteResult {
    try await service.write(changes, verb: "test", by: author, options)
  }

  private func key(_ kind: String, _ name: String) -> ResourceKey {
    let group = kind == "Filter" ? "weft.dev" : "gateway.networking.k8s.io"
    return ResourceKey(group: group, kind: kind, namespace: "default", name: name)
  }

  private func problem(_ body: () async throws -> Void) async -> ResourceProblem? {
    do { try await body() } catch { return error as? ResourceProblem }
    return nil
  }

  @Test("a resource gets an id, a time and a generation, which only a change of content raises")
  func metadata() async throws {
    let first = try await write(Manifest.put(Manifest.gateway))
    #expect(first.results[0].outcome == .created && first.revision > 0)
    let created = try await service.get(key("Gateway", "edge"))
    let metadata = try #require(created["metadata"])
    #expect(metadata["generation"]?.int == 1 && metadata["uid"]?.string?.count == 36)
    #expect(metadata["resourceVersion"]?.string == "\(first.revision)" && metadata["namespace"]?.string == "default")
    #expect(metadata["creationTimestamp"]?.string?.hasSuffix("Z") == true)
    // The same again is no change, whatever a client sends of the control plane's own fields.
    var again = created
    again["metadata"]?["resourceVersion"] = nil
    again["metadata"]?["generation"] = 99
    again["status"] = ["x": 1]
    let document = try ResourceDocument(again)
    let second = try await write(ResourceChange(document.key, .put(document)))
    #expect(second.results[0].outcome == .unchanged && second.revision == 0)
    again["metadata"]?["labels"] = ["a": "b"]
    let labelled = try ResourceDocument(again)
    #expect(try await write(ResourceChange(labelled.key, .put(labelled))).results[0].outcome == .configured)
    #expect(try await service.get(key("Gateway", "edge"))["metadata"]?["generation"]?.int == 1)
    again["spec"]?["listeners"] = [["name": "http", "port": 9090, "protocol": "HTTP"]]
    let changed = try ResourceDocument(again)
    _ = try await write(ResourceChange(changed.key, .put(changed)))
    let last = try await service.get(key("Gateway", "edge"))
    #expect(last["metadata"]?["generation"]?.int == 2 && last["metadata"]?["uid"] == metadata["uid"])
    #expect(last["status"] == nil)
  }

  @Test("what is wrong is refused with the field, and nothing of the write is stored")
  func validation() async throws {
    let wrong = Manifest.route().replacing("parentRefs", with: "parentRef")
    let error = await problem { _ = try await write(Manifest.put(Manifest.gateway), Manifest.put(wrong)) }
    guard case .invalid(let findings) = error else { throw error ?? .malformed("it was accepted") }
    #expect(findings.map(\.path) == ["spec.parentRef"])
    #expect(findings[0].message == "unknown field \"parentRef\"; did you mean \"parentRefs\"?")
    #expect(findings[0].resource == key("HTTPRoute", "shop"))
    #expect(try await store.list(prefix: "/resources/", after: nil, limit: 10, at: nil).entries.isEmpty)
    let dangling = await problem { _ = try await write(Manifest.put(Manifest.route(filter: "none"))) }
    guard case .invalid(let findings) = dangling else { throw dangling ?? .malformed("it was accepted") }
    #expect(
      findings.map(\.description) == [
        "HTTPRoute.gateway.networking.k8s.io default/shop: spec.rules[0].filters[0].extensionRef: no Filter named \"none\""
      ])
    // Together with what it needs, in any order.
    let result = try await write(Manifest.put(Manifest.route(filter: "tag")), Manifest.put(Manifest.filter()))
    #expect(result.results.map(\.outcome) == [.created, .created])
    #expect(result.warnings.contains { $0.message.contains("NoMatchingParent") || $0.message.contains("not attached") })
  }

  @Test("an error that is there already holds up nobody else's change")
  func others() async throws {
    _ = try await write(Manifest.put(Manifest.route(filter: "tag")), Manifest.put(Manifest.filter()))
    var forced = WriteOptions()
    forced.isForced = true
    _ = try await write(ResourceChange(key("Filter", "tag"), .delete), options: forced)
    #expect(try await service.findings().contains { $0.isError })
    #expect(try await write(Manifest.put(Manifest.gateway)).results[0].outcome == .created)
    // A new mistake is refused all the same.
    let error = await problem { _ = try await write(Manifest.put(Manifest.route("other", filter: "tag"))) }
    guard case .invalid = error else { throw error ?? .malformed("it was accepted") }
  }

  @Test("what another resource needs is deleted by force only, or with it")
  func deletion() async throws {
    _ = try await write(Manifest.put(Manifest.route(filter: "tag")), Manifest.put(Manifest.filter()))
    let error = await problem { _ = try await write(ResourceChange(key("Filter", "tag"), .delete)) }
    guard case .conflict(let text, let findings) = error else { throw error ?? .malformed("it was accepted") }
    #expect(text.contains("Filter.weft.dev default/tag") && findings.count == 1)
    let both = try await write(
      ResourceChange(key("Filter", "tag"), .delete), ResourceChange(key("HTTPRoute", "shop"), .delete))
    #expect(both.results.map(\.outcome) == [.deleted, .deleted])
    let gone = await problem { _ = try await write(ResourceChange(key("Filter", "tag"), .delete)) }
    guard case .notFound = gone else { throw gone ?? .malformed("it was accepted") }
  }

  @Test("preconditions: absent, and a version that somebody else has changed")
  func preconditions() async throws {
    let first = try await write(Manifest.put(Manifest.filter(), when: .absent))
    let twice = await problem { _ = try await write(Manifest.put(Manifest.filter(), when: .absent)) }
    guard case .conflict = twice else { throw twice ?? .malformed("it was accepted") }
    let changed = Manifest.filter().replacing("200", with: "204")
    let second = try await write(Manifest.put(changed, when: .revision(first.revision)))
    #expect(second.revision > first.revision)
    let stale = await problem { _ = try await write(Manifest.put(Manifest.filter(), when: .revision(first.revision))) }
    guard case .conflict(let text, _) = stale else { throw stale ?? .malformed("it was accepted") }
    #expect(text.contains("\(second.revision)"))
  }

  @Test("a dry run checks everything and stores nothing")
  func dryRun() async throws {
    var options = WriteOptions()
    options.isDryRun = true
    let result = try await write(Manifest.put(Manifest.filter()), options: options)
    #expect(result.results[0].outcome == .created && result.revision == 0)
    #expect(try await store.revision() == 0)
    let error = await problem { _ = try await write(Manifest.put(Manifest.route(filter: "x")), options: options) }
    #expect(error != nil)
  }

  @Test(
    "names that are no names, kinds that are none and Workloads are refused",
    arguments: [
      ("Filter", "weft.dev/v1", "A", "metadata.name"), ("Filter", "weft.dev/v1", "../../control", "metadata.name"),
      ("Filter", "weft.dev/v1", "a/b", "metadata.name"), ("Filter", "weft.dev/v1", "", "metadata.name"),
      ("Filtre", "weft.dev/v1", "a", "kind"), ("Filter", "weft.dev/v9", "a", "apiVersion"),
      ("Pod", "v1", "a", "kind"),
    ])
  func names(_ kind: String, _ version: String, _ name: String, _ path: String) async throws {
    let yaml =
      "apiVersion: \(version)\nkind: \(kind)\nmetadata: {name: \"\(name)\"}\nspec: {type: respond, config: {status: 200}}\n"
    let error = await problem { _ = try await write(Manifest.put(yaml)) }
    guard case .invalid(let findings) = error else { throw error ?? .malformed("it was accepted") }
    #expect(findings.first?.path == path)
  }

  @Test("versions of a resource are listed with who made them, and put back")
  func history() async throws {
    let first = try await write(Manifest.put(Manifest.route(path: "/a")), Manifest.put(Manifest.gateway))
    let second = try await write(Manifest.put(Manifest.route(path: "/b")))
    let versions = try await service.history(key("HTTPRoute", "shop"))
    #expect(versions.map(\.revision) == [second.revision, first.revision])
    #expect(versions.allSatisfy { $0.audit?["who"]?.string == "token:ann" })
    let back = try await service.rollback(key("HTTPRoute", "shop"), by: author)
    #expect(back.results[0].outcome == .configured)
    func path() async throws -> String? {
      try await service.get(key("HTTPRoute", "shop"))["spec"]?["rules"]?.array?[0]["matches"]?.array?[0]["path"]?[
        "value"]?
        .string
    }
    #expect(try await path() == "/a")
    _ = try await service.rollback(key("HTTPRoute", "shop"), to: second.revision, by: author)
    #expect(try await path() == "/b")
    _ = try await write(ResourceChange(key("HTTPRoute", "shop"), .delete))
    _ = try await service.rollback(key("HTTPRoute", "shop"), by: author)
    #expect(try await path() == "/b")
    let unknown = await problem { _ = try await service.rollback(key("HTTPRoute", "shop"), to: 1_000_000, by: author) }
    guard case .notFound = unknown else { throw unknown ?? .malformed("it was accepted") }
  }

  @Test("every change is in the audit log with what differs; values of Secrets are not")
  func audit() async throws {
    _ = try await write(Manifest.put(Manifest.filter()))
    _ = try await write(Manifest.put(Manifest.filter().replacing("200", with: "204")))
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
    _ = try await write(Manifest.put(secret))
    let entries = try await service.audit.entries(limit: 10)
    #expect(entries.count == 3)
    #expect(entries.allSatisfy { $0["who"]?.string == "token:ann" && $0["time"]?.string != nil })
    #expect(entries[1]["changes"]?.array?[0]["diff"] == [["path": "spec.config.status", "before": 200, "after": 204]])
    #expect(!entries.map(\.text).joined().contains("hunter2"))
    #expect(entries[0].text.contains("(hidden)"))
  }

  @Test("more resources than a transaction takes are stored, and writers at one time do not lose changes")
  func many() async throws {
    let changes = try (0..<250).map { try Manifest.put(Manifest.filter("f\($0)")) }
    let result = try await service.write(changes, verb: "apply", by: author)
    #expect(result.results.count == 250 && Set(result.results.map(\.revision)).count == 3)
    // Another replica on the same store.
    let other = ResourceService(store)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<20 {
        let service = index % 2 == 0 ? service : other
        let change = try Manifest.put(Manifest.filter("g\(index)"))
        group.addTask { _ = try await service.write([change], verb: "apply", by: .itself) }
      }
      try await group.waitForAll()
    }
    let type = try #require(ResourceType.matching("filters").first)
    #expect(try await service.list(type).items.count == 270)
    let page = try await service.list(type, limit: 100)
    let next = try await service.list(type, limit: 200, continued: page.next)
    #expect(page.items.count == 100 && next.items.count == 170 && next.next == nil)
    #expect(next.revision == page.revision)
  }

  @Test(
    "listings select by labels",
    arguments: [
      ("app=shop", ["a", "b"]), ("app!=shop", ["c"]), ("app=shop,tier", ["b"]), ("!tier", ["a", "c"]),
      ("tier==x", ["b"]),
    ])
  func labels(_ selector: String, _ names: [String]) async throws {
    _ = try await write(
      Manifest.put(Manifest.route("a", labels: "{app: shop}")),
      Manifest.put(Manifest.route("b", labels: "{app: shop, tier: x}")), Manifest.put(Manifest.route("c")))
    let type = try #require(ResourceType.matching("httproute").first)
    let list = try await service.list(type, selector: LabelRequirements(selector))
    #expect(list.items.compactMap { $0["metadata"]?["name"]?.string } == names)
  }

  @Test("plurals are those of Kubernetes")
  func plurals() {
    let plurals = Set(ResourceType.all.map(\.plural))
    #expect(
      plurals.isSuperset(of: [
        "gateways", "gatewayclasses", "httproutes", "grpcroutes", "tcproutes", "tlsroutes", "backendtlspolicies",
        "referencegrants", "services", "endpointslices", "secrets", "configmaps", "namespaces", "filters", "proxies",
      ]))
    #expect(ResourceType.matching("svc").count == 2 && ResourceType.matching("service.weft.dev").count == 1)
    #expect(ResourceType.matching("service.core").count == 1)
  }
}
