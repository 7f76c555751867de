import Testing
import WeftConfig

@testable import WeftControl

@Suite("API: resources")
struct ResourceAPITests {
  private static let routes = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
  private static let filters = "/apis/weft.dev/v1/namespaces/default/filters"

  @Test("create, read, replace, patch, apply, delete")
  func life() async throws {
    try await APIScene.with { api in
      let created = try await api.yaml(.POST, Self.filters, Manifest.filter())
      #expect(created.status == 201 && created.type == "application/json", "\(created.text)")
      let version = try #require(created.json["metadata"]?["resourceVersion"]?.string)
      #expect(try await api.yaml(.POST, Self.filters, Manifest.filter()).status == 409)
      let item = Self.filters + "/tag"
      #expect(try await api.call(.GET, item).json == created.json)

      var changed = created.json
      changed["spec"]?["config"] = ["status": 204]
      let replaced = try await api.call(.PUT, item, changed.text)
      #expect(replaced.status == 200 && replaced.json["metadata"]?["generation"]?.int == 2)
      let stale = try await api.call(.PUT, item, created.text)
      #expect(stale.status == 409 && stale.type == "application/problem+json")
      #expect(stale.json["reason"]?.string == "Conflict" && stale.json["detail"]?.string?.contains(version) == true)

      let patched = try await api.call(
        .PATCH, item, #"{"metadata":{"labels":{"a":"b"}},"spec":{"config":{"status":205}}}"#,
        type: "application/merge-patch+json")
      #expect(patched.json["spec"]?["config"]?["status"]?.int == 205)
      #expect(patched.json["metadata"]?["labels"]?["a"]?.string == "b")
      let renamed = try await api.call(
        .PATCH, item, #"{"metadata":{"name":"x"}}"#, type: "application/merge-patch+json")
      #expect(renamed.status == 422)

      let applied = try await api.call(
        .PATCH, item + "?fieldManager=me", Manifest.filter(), type: "application/apply-patch+yaml")
      #expect(applied.status == 200 && applied.json["spec"] == created.json["spec"])
      #expect(applied.json["metadata"]?["labels"] == nil)
      let fresh = try await api.call(
        .PATCH, Self.filters + "/new", Manifest.filter("new"), type: "application/apply-patch+yaml")
      #expect(fresh.status == 201)
      let absent = try await api.yaml(.PUT, Self.filters + "/none", Manifest.filter("none"))
      #expect(absent.status == 404)

      let list = try await api.call(.GET, "/apis/weft.dev/v1/filters")
      #expect(list.json["kind"]?.string == "FilterList" && list.json["items"]?.array?.count == 2)
      #expect(try await api.call(.DELETE, item).status == 200)
      #expect(try await api.call(.GET, item).status == 404)
      #expect(try await api.call(.DELETE, item).status == 404)
    }
  }

  @Test("kinds without a namespace, and the core group")
  func cluster() async throws {
    try await APIScene.with { api in
      let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {a: b}}\n"
      #expect(try await api.yaml(.POST, "/api/v1/namespaces", namespace).status == 201)
      let read = try await api.call(.GET, "/api/v1/namespaces/shop")
      #expect(read.json["metadata"]?["name"]?.string == "shop" && read.json["metadata"]?["namespace"] == nil)
      let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}], clusterIP: 10.0.0.1}\n"
      let created = try await api.yaml(.POST, "/api/v1/namespaces/shop/services", service)
      #expect(created.status == 201 && created.json["metadata"]?["namespace"]?.string == "shop", "\(created.text)")
      #expect(try await api.yaml(.POST, "/api/v1/namespaces/other/services", created.text).status == 400)
      #expect(try await api.call(.GET, "/api/v1/namespaces/shop/services").json["items"]?.array?.count == 1)
      #expect(try await api.call(.GET, "/api/v1/namespaces/default/services").json["items"]?.array?.count == 0)
      #expect(try await api.call(.GET, "/api/v1/services").json["items"]?.array?.count == 1)
    }
  }

  @Test("mistakes are problems with the path of the field")
  func problems() async throws {
    try await APIScene.with { api in
      let wrong = try await api.yaml(
        .POST, Self.routes, Manifest.route(filter: "none").replacing("PathPrefix", with: "Prefix"))
      #expect(wrong.status == 422 && wrong.type == "application/problem+json")
      #expect(wrong.json["status"]?.int == 422 && wrong.json["title"]?.string != nil)
      let errors = wrong.json["errors"]?.array ?? []
      #expect(errors.contains { $0["path"]?.string == "spec.rules[0].matches[0].path.type" }, "\(wrong.text)")
      #expect(errors.allSatisfy { $0["resource"]?["name"]?.string == "shop" && $0["severity"]?.string == "error" })
      let warned = try await api.yaml(.POST, Self.routes, Manifest.route())
      #expect(warned.status == 201 && warned.warnings.contains { $0.contains("the route is not attached") })
    }
  }

  @Test(
    "what no client should send is refused, and the server goes on",
    arguments: [
      ("POST", "", "application/json", 400), ("POST", "{", "application/json", 400),
      ("POST", "[]", "application/json", 400),
      ("POST", "{}", "application/json", 422), ("POST", "a: 1\n---\nb: 2\n", "application/yaml", 400),
      ("POST", "{}", "text/plain", 415), ("POST", "{}", "application/x-www-form-urlencoded", 415),
      ("POST", "{}", "", 415), ("POST", String(repeating: "[", count: 5_000), "application/json", 400),
      ("POST", "a: &a [x]\nb: [*a, *a]\n", "application/yaml", 422),
      ("POST", String(repeating: " ", count: (1 << 20) + 1), "application/json", 413),
      ("PUT", "{}", "application/json", 405), ("PATCH", "{}", "application/json-patch+json", 405),
    ])
  func malformed(_ method: String, _ body: String, _ type: String, _ status: Int) async throws {
    try await APIScene.with { api in
      let answer = try await api.call(.init(rawValue: method), Self.filters, body, type: type.isEmpty ? nil : type)
      #expect(answer.status == status, "\(answer.text.prefix(300))")
      #expect(answer.type == "application/problem+json")
      #expect(try await api.call(.GET, "/healthz").status == 200)
    }
  }

  @Test(
    "paths that lead nowhere are 404 with what there is",
    arguments: [
      "/", "/x", "/apis/none", "/apis/weft.dev/v2", "/apis/weft.dev/v1/none",
      "/apis/weft.dev/v1/namespaces/default/none",
      "/apis/weft.dev/v1/filters/tag", "/apis/weft.dev/v1/namespaces/default/filters/tag/status",
      "/apis/weft.dev/v1/namespaces/DEFAULT/filters", "/apis/weft.dev/v1/namespaces/default/filters/%2e%2e%2fx",
      "/apis/weft.dev/v1/namespaces/../filters", "/weft/v1/none", "/weft/v1/proxies/a/b/c/d", "/api/v1/pods",
    ])
  func nowhere(_ path: String) async throws {
    try await APIScene.with { api in
      let answer = try await api.call(.GET, path)
      #expect(answer.status == 404, "\(answer.text)")
      #expect(answer.type == "application/problem+json" && answer.json["detail"]?.string?.isEmpty == false)
    }
  }

  @Test("a watch tells what is there, what changes, and goes on where another one ended")
  func watch() async throws {
    try await APIScene.with { api in
      _ = try await api.yaml(.POST, Self.filters, Manifest.filter("a"))
      let lines = try await api.lines("/apis/weft.dev/v1/filters?watch=1", count: 4) {
        // The first line comes before the watch begins; changes come only after it.
        _ = try await api.yaml(.POST, Self.filters, Manifest.filter("b"))
        _ = try await api.yaml(.PUT, Self.filters + "/a", Manifest.filter("a").replacing("200", with: "204"))
        _ = try await api.yaml(.POST, Self.routes, Manifest.route())
        _ = try await api.call(.DELETE, Self.filters + "/b")
      }
      #expect(lines.compactMap { $0["type"]?.string } == ["ADDED", "ADDED", "MODIFIED", "DELETED"])
      #expect(lines.compactMap { $0["object"]?["metadata"]?["name"]?.string } == ["a", "b", "a", "b"])
      let second = try #require(lines[1]["object"]?["metadata"]?["resourceVersion"]?.string)
      let rest = try await api.lines(
        "/apis/weft.dev/v1/namespaces/default/filters?watch=true&resourceVersion=\(second)", count: 2)
      #expect(rest == Array(lines[2...]))
      // One resource alone.
      let one = try await api.lines(Self.filters + "/a?watch=1&resourceVersion=\(second)", count: 1)
      #expect(one == [lines[2]])
    }
  }

  @Test("a watch from what is no longer kept is 410, and one with an end ends")
  func watchEnds() async throws {
    try await APIScene.with { api in
      for index in 0..<5 { _ = try await api.yaml(.POST, Self.filters, Manifest.filter("f\(index)")) }
      try await api.resources.store.compact(before: 4)
      let gone = try await api.call(.GET, Self.filters + "?watch=1&resourceVersion=1")
      #expect(gone.status == 410 && gone.json["reason"]?.string == "Expired")
      let list = try await api.call(.GET, Self.filters)
      let version = try #require(list.json["metadata"]?["resourceVersion"]?.string)
      let ended = try await api.call(.GET, Self.filters + "?watch=1&resourceVersion=\(version)&timeoutSeconds=1")
      #expect(ended.status == 200)
    }
  }

  @Test("many resources are applied and deleted as one")
  func bulk() async throws {
    try await APIScene.with { api in
      func body(_ values: [JSONValue]) -> String { JSONValue.object(["resources": .array(values)]).text }
      let good = [try Manifest.value(Manifest.route(filter: "tag")), try Manifest.value(Manifest.filter())]
      var bad = good
      bad[1]["spec"] = ["type": "respond", "conf": [:]]
      let refused = try await api.call(.POST, "/weft/v1/apply", body(bad))
      #expect(refused.status == 422, "\(refused.text)")
      #expect(try await api.call(.GET, Self.routes).json["items"]?.array?.isEmpty == true)
      let dry = try await api.call(.POST, "/weft/v1/apply?dryRun=All&objects=1", body(good))
      #expect(dry.json["results"]?.array?[1]["after"]?["spec"]?["type"]?.string == "respond")
      #expect(try await api.call(.GET, Self.routes).json["items"]?.array?.isEmpty == true)
      let applied = try await api.call(.POST, "/weft/v1/apply", body(good))
      #expect(applied.json["results"]?.array?.compactMap { $0["outcome"]?.string } == ["created", "created"])
      let used = try await api.call(.DELETE, Self.filters + "/tag")
      #expect(used.status == 409 && used.json["errors"]?.array?.count == 1)
      #expect(try await api.call(.POST, "/weft/v1/delete", body(good)).status == 200)
      #expect(try await api.call(.POST, "/weft/v1/delete", body(good)).status == 404)
      #expect(try await api.call(.POST, "/weft/v1/delete?ignoreNotFound=1", body(good)).status == 200)
      let history = try await api.call(.GET, "/weft/v1/history/weft.dev/Filter/default/tag")
      #expect(history.json["versions"]?.array?.compactMap { $0["isDeleted"]?.bool } == [true, false])
      let key = #"{"group":"weft.dev","kind":"Filter","namespace":"default","name":"tag"}"#
      #expect(try await api.call(.POST, "/weft/v1/rollback", key).status == 200)
      #expect(try await api.call(.GET, Self.filters + "/tag").status == 200)
    }
  }

  @Test("clients of Kubernetes' APIs find groups, versions and kinds")
  func discovery() async throws {
    try await APIScene.with { api in
      let groups = try await api.call(.GET, "/apis").json["groups"]?.array?.compactMap { $0["name"]?.string }
      #expect(groups?.contains("weft.dev") == true && groups?.contains("gateway.networking.k8s.io") == true)
      #expect(try await api.call(.GET, "/api").json["versions"] == ["v1"])
      let kinds = try await api.call(.GET, "/apis/weft.dev/v1").json["resources"]?.array?.compactMap {
        $0["name"]?.string
      }
      #expect(kinds?.contains("filters") == true)
      let beta = try await api.call(.GET, "/apis/gateway.networking.k8s.io/v1beta1")
      #expect(beta.json["kind"]?.string == "APIResourceList")
    }
  }
}
