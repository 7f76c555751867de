import Glibc
import Testing

@Suite("Commands that talk to a control plane", .endToEnd)
struct ControlClientTests {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    .dropLast(3)
    .joined(separator: "/")

  private static let route = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs: [{name: edge}]
      hostnames: [shop.example]
      rules:
      - filters:
        - type: ExtensionRef
          extensionRef: {group: weft.dev, kind: Filter, name: limit}
        backendRefs: [{group: weft.dev, kind: Service, name: shop}]
    ---
    apiVersion: weft.dev/v1
    kind: Service
    metadata: {name: shop}
    spec: {endpoints: ["127.0.0.1:9001"]}
    ---
    apiVersion: weft.dev/v1
    kind: Filter
    metadata: {name: limit}
    spec:
      type: rate-limit
      config: {requests: 10, per: 1s}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: edge}
    spec:
      gatewayClassName: weft
      listeners: [{name: http, port: 8080, protocol: HTTP}]
    """

  @Test("from apply to rollback, over a restart of the control plane")
  func story() throws {
    let scene = try ControlScene()
    let control = try scene.start()
    let file = scene.folder.path("shop.yaml")
    try scene.folder.write("shop.yaml", Self.route)

    let diff = try scene.weft("diff", "-f", file, "--exit-code", code: 1)
    #expect(
      diff.output.contains("+++ httproute.gateway.networking.k8s.io/shop (file)\n")
        && diff.output.contains("\n+  - shop.example\n"))
    let applied = try scene.weft("apply", "-f", file)
    #expect(
      applied.output.contains("httproute.gateway.networking.k8s.io/shop created\n"),
      "\(applied.output)")
    #expect(
      try scene.weft("apply", "-f", file).output.contains("filter.weft.dev/limit unchanged\n"))
    #expect(try scene.weft("diff", "-f", file, "--exit-code").output.isEmpty)

    let table = try scene.weft("get", "httproutes").output
    #expect(table.hasPrefix("NAME  HOSTNAMES     AGE\nshop  shop.example  "), "\(table)")
    #expect(try scene.weft("get", "svc").output.contains("127.0.0.1:9001"))
    #expect(try scene.weft("get", "all", "-o", "name").output.split(separator: "\n").count == 4)
    let yaml = try scene.weft("get", "httproute/shop", "-o", "yaml").output
    #expect(
      yaml.hasPrefix("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n"))
    // What get prints can be applied.
    try scene.folder.write("again.yaml", yaml)
    #expect(
      try scene.weft("apply", "-f", scene.folder.path("again.yaml")).output.contains(
        "shop unchanged"))
    let described = try scene.weft("describe", "httproute", "shop").output
    for text in ["Name       shop", "Refused by\n  no proxy", "History\n", "shop.example"] {
      #expect(described.contains(text), "\(text) in \(described)")
    }

    try scene.folder.write("shop.yaml", Self.route.replacing("shop.example", with: "new.example"))
    #expect(try scene.weft("apply", "-f", file).output.contains("shop configured"))
    control.signal(SIGTERM)
    #expect(try control.waitForEnd() == .exited(0))
    try scene.start()
    #expect(try scene.weft("get", "httproute").output.contains("new.example"))
    let history = try scene.weft("history", "httproute", "shop").output
    #expect(history.split(separator: "\n").count == 3 && history.contains("local"), "\(history)")
    let changes = try scene.weft("history", "httproute", "shop", "--diff").output
    #expect(changes.contains("\n-  - shop.example\n+  - new.example\n"), "\(changes)")
    #expect(try scene.weft("rollback", "httproute", "shop").output.contains("shop configured"))
    #expect(try scene.weft("get", "httproute").output.contains("shop.example"))

    let used = try scene.weft("delete", "filter", "limit", code: 1)
    #expect(used.errorOutput.contains("no Filter named \"limit\""), "\(used.errorOutput)")
    #expect(try scene.weft("delete", "-f", file).output.split(separator: "\n").count == 4)
    #expect(try scene.weft("get", "all").errorOutput.contains("no resources"))
    #expect(
      try scene.weft("delete", "httproute", "shop", code: 1).errorOutput.contains(
        "no HTTPRoute.gateway.networking.k8s.io named \"shop\""))
    #expect(try scene.weft("status").output.contains("no proxies; start one"))
    try scene.weft("events")
  }

  @Test(
    "mistakes in files are said as weft check says them, and nothing is stored",
    arguments: [
      ("hostnames: [shop.example]", "hostnames: shop.example"),
      ("kind: HTTPRoute", "kind: HTTPRute"),
      ("name: limit}\nspec", "name: limits}\nspec"), ("per: 1s", "per: 1s, burts: 3"),
      ("type: rate-limit", "type: rate-limits"),
      ("parentRefs", "parentRef"), ("port: 8080", "port: 80800"),
      ("requests: 10", "requests: none"),
      ("metadata: {name: edge}", "metadata: {name: Edge}"),
      ("endpoints: [\"127.0.0.1:9001\"]", "endpoints: [\"127.0.0.1\"]"),
      ("protocol: HTTP}]", "protocol: HTTP}"), ("type: ExtensionRef", "type: ExtensionRe"),
      ("gatewayClassName: weft", "x: 1"),
      ("metadata: {name: shop}\nspec: {end", "metadata: {nam: shop}\nspec: {end"),
    ])
  func mistakes(_ good: String, _ bad: String) throws {
    let scene = try ControlScene()
    try scene.start()
    let file = scene.folder.path("shop.yaml")
    try scene.folder.write("shop.yaml", Self.route.replacing(good, with: bad))
    let checked = try Tool.run(WeftBinary.path, ["check", "-f", file])
    #expect(checked.code == 1)
    let errors = checked.output.split(separator: "\n").filter {
      $0.hasPrefix(file) && !$0.contains(" warning: ")
    }
    let applied = try scene.weft("apply", "-f", file, code: 1)
    let found = applied.errorOutput.split(separator: "\n").filter {
      $0.hasPrefix(file) && !$0.contains(" warning: ")
    }
    #expect(found == errors && !errors.isEmpty)
    #expect(applied.output.isEmpty)
    #expect(try scene.weft("get", "all", "-A").errorOutput.contains("no resources"))
    // As JSON too.
    let json = try scene.weft("apply", "-f", file, "--json", code: 1).errorOutput
    for line in json.split(separator: "\n") {
      #expect(throws: Never.self) { try JSONValue(String(line)) }
    }
  }

  @Test("tokens, contexts and roles")
  func tokens() throws {
    let scene = try ControlScene()
    try scene.start()
    try scene.folder.write("shop.yaml", Self.route)
    let file = scene.folder.path("shop.yaml")
    #expect(
      try scene.weft("token", "create", "ci", "--role", "viewer", code: 1).errorOutput.contains(
        "must have the role admin"))
    let admin = try #require(
      try scene.weft("token", "create", "root", "--role", "admin").output.split(separator: "\n")
        .first)
    #expect(admin.hasPrefix("weft_"))
    #expect(try scene.weft("get", "all", code: 1).errorOutput.contains("needs a token"))
    let asAdmin = ["WEFT_TOKEN": String(admin)]
    let viewer = try #require(
      try scene.weft(
        "token", "create", "eve", "--role", "viewer", "--lifetime", "1h", environment: asAdmin
      )
      .output.split(separator: "\n").first)
    try scene.folder.write("eve", String(viewer) + "\n")
    #expect(try scene.weft("get", "all", "--token-file", scene.folder.path("eve")).code == 0)
    let refused = try scene.weft(
      "apply", "-f", file, "--token-file", scene.folder.path("eve"), code: 1)
    #expect(
      refused.errorOutput.contains("the role viewer may not do this; it needs editor or admin"))
    try scene.folder.write("root", String(admin))
    try scene.weft("context", "add", "here", scene.url, "--token-file", scene.folder.path("root"))
    try scene.weft("context", "add", "there", "http://127.0.0.1:1", "-n", "shop")
    var status = stat()
    #expect(
      stat(scene.folder.path("client/config"), &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(try scene.weft("context", "list").output.contains("*  here"))
    #expect(!(try scene.weft("context", "list", "--json").output.contains(admin)))
    try scene.weft("apply", "-f", file)
    // The token of a context is for its own control plane alone.
    let other = try scene.weft(
      "get", "all", "--control", "http://localhost:\(scene.api.number)", code: 1)
    #expect(other.errorOutput.contains("needs a token"))
    let clear = try scene.weft(
      "get", "all", "--control", "http://192.0.2.1:1", code: 1, environment: asAdmin)
    #expect(clear.errorOutput.contains("not sent to 192.0.2.1 in the clear"))
    let down = try scene.weft("get", "all", "--context", "there", code: 1)
    #expect(
      down.errorOutput.contains(
        "no answer from the control plane at http://127.0.0.1:1: connection refused"))
    #expect(try scene.weft("token", "list").output.contains("eve"))
    try scene.weft("token", "revoke", "eve")
    #expect(
      try scene.weft("get", "all", "--token-file", scene.folder.path("eve"), code: 1).errorOutput
        .contains("revoked"))
    let join = try scene.weft("token", "create", "--join", "--service", "reviews").output
    #expect(join.split(separator: ".").count == 3)
  }

  @Test("a bundle is pushed, used by a filter, pulled and kept")
  func bundles() throws {
    let scene = try ControlScene()
    try scene.start()
    let bundle = "\(Self.root)/filters/tenant-tag"
    let filter = """
      apiVersion: weft.dev/v1
      kind: Filter
      metadata: {name: tag}
      spec: {type: lua, config: {bundle: tenant-tag}}
      """
    try scene.folder.write("filter.yaml", filter)
    let file = scene.folder.path("filter.yaml")
    let early = try scene.weft("apply", "-f", file, code: 1)
    #expect(early.errorOutput.contains("there is no FilterBundle \"default/tenant-tag\""), "\(early.errorOutput)")
    let pushed = try JSONValue(try scene.weft("bundle", "push", bundle, "--tag", "stable", "--use", "--json").output)
    let digest = try #require(pushed["digest"].string)
    let version = try #require(pushed["version"].string)
    #expect(try scene.weft("apply", "-f", file).output.contains("filter.weft.dev/tag created"))
    #expect(try scene.weft("bundle", "list").output.contains("stable"))
    #expect(try scene.weft("get", "filterbundles").output.contains(digest))
    let archive = scene.folder.path("pulled.weft")
    try scene.weft("bundle", "pull", "tenant-tag:stable", "-o", archive)
    #expect(try Tool.run(WeftBinary.path, ["bundle", "digest", archive]).output.contains(digest))
    let inspected = try scene.weft("bundle", "inspect", "tenant-tag:stable").output
    #expect(inspected.contains(digest) && inspected.contains("main.lua"), "\(inspected)")
    #expect(try scene.weft("bundle", "inspect", archive).output.contains(digest))
    #expect(
      try scene.weft("bundle", "inspect", "tenant-tag:none", code: 1).errorOutput.contains("no version or tag \"none\"")
    )
    // To another control plane by way of an OCI image layout.
    let images = scene.folder.path("images")
    try scene.weft("bundle", "export", "tenant-tag", "--oci", images)
    try scene.weft("bundle", "export", "tenant-tag:stable", "--oci", images)
    let index = try JSONValue(readFile("\(images)/index.json") ?? "")
    #expect(index["manifests"].list.count == 1)
    #expect(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"].string == "tenant-tag:\(version)")
    let other = try ControlScene()
    try other.start()
    #expect(try other.weft("bundle", "import", images).output == "tenant-tag:\(version) \(digest)\n")
    #expect(try other.weft("bundle", "list").output.contains(digest))
    try writeFile("\(images)/blobs/sha256/\(digest.dropFirst("sha256:".count))", "tampered")
    #expect(try other.weft("bundle", "import", images, code: 1).errorOutput.contains("is damaged"))
    #expect(
      try scene.weft("bundle", "remove", "tenant-tag:\(version)", code: 1).errorOutput.contains(
        "is used by FilterBundle"))
    try scene.weft("bundle", "tag", "tenant-tag:\(version)", "next")
    try scene.weft("bundle", "remove", "tenant-tag:next")
    #expect(try scene.weft("bundle", "collect", "--dry-run").output.contains("0 archives would go"))
    // A path would be a file of the control plane's machine.
    try scene.folder.write("filter.yaml", filter.replacing("bundle: tenant-tag", with: "bundle: \(bundle)"))
    #expect(
      try scene.weft("apply", "-f", file, code: 1).errorOutput.contains(
        "filter.yaml:4: spec.config.bundle: a path means nothing"))
    // One whose own tests fail is not pushed.
    _ = try Tool.run(WeftBinary.path, ["bundle", "new", "broken", "--in", scene.folder.path])
    try scene.folder.write("broken/tests/main_test.lua", "test(\"x\", function() assert_equal(1, 2) end)\n")
    #expect(
      try scene.weft("bundle", "push", scene.folder.path("broken"), code: 1).errorOutput.contains("nothing was pushed"))
    #expect(try scene.weft("bundle", "list", "broken").output.isEmpty)
  }

  @Test("a push that is refused says why, and what to do")
  func refusedPushes() throws {
    let scene = try ControlScene()
    try scene.start()
    func refusal(_ arguments: String...) throws -> String {
      let result = try Tool.run(
        WeftBinary.path, ["bundle", "push"] + arguments + ["--control", scene.url])
      #expect(result.code == 1, "\(result.output)")
      return result.errorOutput
    }
    let folder = scene.folder.path("greeting")
    _ = try Tool.run(WeftBinary.path, ["bundle", "new", "greeting", "--in", scene.folder.path])
    #expect(try refusal(scene.folder.path("missing")).contains("nothing was pushed: correct"))
    // Its tests fail, in a folder and in an archive.
    let test = readFile("\(folder)/tests/main_test.lua") ?? ""
    try scene.folder.write("greeting/tests/main_test.lua", test + "\ntest(\"bad\", function() error(\"no\") end)\n")
    let archive = scene.folder.path("greeting.weft")
    _ = try Tool.run(WeftBinary.path, ["bundle", "pack", folder, "-o", archive])
    for path in [folder, archive] {
      let text = try refusal(path)
      #expect(text.contains("bad") && text.contains("weft filter test \(path)"), "\(text)")
    }
    // There are none.
    unlink("\(folder)/tests/main_test.lua")
    let none = try refusal(folder)
    #expect(none.contains("has no tests") && none.contains("--skip-tests"), "\(none)")
    #expect(none.contains("\(folder)/tests/main_test.lua"), "\(none)")
    try scene.folder.write("greeting/tests/main_test.lua", test)
    try scene.weft("bundle", "push", folder)
    // Other content under the same version; signatures of what it was before.
    _ = try Tool.run(WeftBinary.path, ["bundle", "keygen", scene.folder.path("key")])
    _ = try Tool.run(WeftBinary.path, ["bundle", "sign", folder, "--key", scene.folder.path("key.key.pem")])
    let script = readFile("\(folder)/main.lua") ?? ""
    try scene.folder.write("greeting/main.lua", script + "-- changed\n")
    let other = try refusal(folder)
    #expect(other.contains("new version in its bundle.yaml") && other.contains("sign it again"), "\(other)")
    // The script does not compile.
    try scene.folder.write("greeting/main.lua", "function on_request(")
    #expect(try refusal(folder).contains("main.lua:1"))
    let away = try Tool.run(
      WeftBinary.path, ["bundle", "push", archive, "--skip-tests", "--control", "http://127.0.0.1:1"])
    #expect(away.code == 1 && away.errorOutput.contains("is \"weft control\" running there?"), "\(away.errorOutput)")
  }

  @Test("changes are watched over a restart of the control plane")
  func watch() throws {
    let scene = try ControlScene()
    let control = try scene.start()
    try scene.folder.write("shop.yaml", Self.route)
    let watcher = try ChildProcess(
      WeftBinary.path, ["watch", "httproutes", "--control", scene.url, "--json"], in: scene.folder,
      name: "watch")
    defer { watcher.signal(SIGKILL) }
    try scene.weft("apply", "-f", scene.folder.path("shop.yaml"))
    try eventually("the first change") { watcher.output.contains("\"ADDED\"") }
    control.signal(SIGTERM)
    #expect(try control.waitForEnd() == .exited(0))
    try scene.start()
    try scene.folder.write("shop.yaml", Self.route.replacing("shop.example", with: "new.example"))
    try scene.weft("apply", "-f", scene.folder.path("shop.yaml"))
    try eventually("the second change") { watcher.output.contains("new.example") }
    let types = try watcher.output.split(separator: "\n").map {
      try JSONValue(String($0))["type"].string
    }
    #expect(types == ["ADDED", "MODIFIED"])
  }

  @Test("the example is applied as it stands")
  func example() throws {
    let scene = try ControlScene()
    try scene.start()
    let result = try scene.weft("apply", "-f", "\(Self.root)/examples/control-plane/shop.yaml")
    #expect(!result.errorOutput.contains("warning"), "\(result.errorOutput)")
    #expect(
      try scene.weft("diff", "-f", "\(Self.root)/examples/control-plane/shop.yaml", "--exit-code")
        .output.isEmpty)
  }

  @Test(
    "every command has help with an example",
    arguments: [
      "apply", "diff", "get", "describe", "delete", "history", "rollback", "watch", "status",
      "events", "token create",
      "token list", "token revoke", "context add", "context use", "context list", "context remove",
    ])
  func help(_ command: String) throws {
    let words = command.split(separator: " ").map(String.init)
    let result = try Tool.run(WeftBinary.path, words + ["--help"])
    #expect(result.code == 0 && result.output.contains("  weft \(command)"), "\(result.output)")
    let page = try #require(readFile("\(Self.root)/docs/cli.md"))
    #expect(
      page.contains("`weft \(words[0])") || page.contains(words.joined(separator: " ")),
      "docs/cli.md lacks weft \(command)")
    let usage = try Tool.run(WeftBinary.path, words + ["--no-such-option"])
    #expect(usage.code == 2)
  }
}
