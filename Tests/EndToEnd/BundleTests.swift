import Glibc
import Testing

@Suite("Bundles, from nothing to a signed filter in force", .endToEnd)
struct BundleTests {
  /// A folder with a bundle as `weft bundle new` makes it, two pairs of keys, and a proxy's configuration.
  private struct Workshop {
    let folder: TemporaryFolder
    let port: ReservedPort
    let backend: Backend

    init() throws {
      folder = try TemporaryFolder()
      port = try ReservedPort()
      backend = try Backend()
      try weft("bundle", "new", "greeting", "--in", folder.path)
      for name in ["release", "stranger"] { try weft("bundle", "keygen", folder.path("keys/\(name)")) }
    }

    func path(_ name: String) -> String { folder.path(name) }
    func privateKey(_ name: String = "release") -> String { path("keys/\(name).key.pem") }
    func publicKey(_ name: String = "release") -> String { path("keys/\(name).pub.pem") }

    /// Runs a subcommand that must succeed.
    @discardableResult
    func weft(_ arguments: String...) throws -> String {
      let result = try Tool.run(WeftBinary.path, arguments)
      #expect(result.code == 0, "\(arguments) \(result.output)\(result.errorOutput)")
      return result.output
    }

    /// Packs the folder, signs the archive, and puts both in place at once.
    func release(_ name: String = "greeting.weft", key: String? = "release") throws {
      try weft("bundle", "pack", path("greeting"), "-o", path("new/\(name)"))
      if let key { try weft("bundle", "sign", path("new/\(name)"), "--key", privateKey(key)) }
      for end in [".sig", ""] {
        let made = path("new/\(name)\(end)")
        if access(made, F_OK) == 0 {
          #expect(rename(made, path("\(name)\(end)")) == 0)
        } else {
          unlink(path(name + end))
        }
      }
    }

    /// A configuration that runs `bundle` for every request and wants a signature.
    func configuration(_ bundle: String, requires: String = "always") -> String {
      [
        Resources.proxy("requireSignature: \(requires), trustedKeys: {release: ../keys/release.pub.pem}"),
        Resources.gateway(port.number), Resources.service("backend", [backend.endpoint]),
        Resources.filter("greeting", type: "lua", config: "bundle: \(bundle)"),
        Resources.route(
          "route",
          "rules: [{filters: [\(Resources.reference("greeting"))], backendRefs: [\(Resources.backendRef("backend"))]}]"),
      ].joined(separator: "\n---\n")
    }

    func run(_ bundle: String) throws -> WeftProcess {
      try WeftProcess(["weft.yaml": configuration(bundle)], folder: folder)
    }

    /// What curl prints for a request through the proxy.
    func curl(_ path: String = "/echo") throws -> String {
      try Tool.run("curl", ["-si", "http://127.0.0.1:\(port.number)\(path)"]).output.lowercased()
    }

    /// Makes the script say something else.
    func edit(_ text: String) throws {
      let script = try #require(readFile(path("greeting/main.lua")))
      try writeFile(path("greeting/main.lua"), script + "\n-- \(text)\n")
    }

    /// Waits until the last reload was refused, and gives why.
    func refusal(_ proxy: WeftProcess, _ part: String) throws -> String {
      try eventually("a refusal that says \"\(part)\"") {
        let reload = try JSONValue(proxy.get("/config").text)["lastReload"]
        let errors = reload["errors"].list.compactMap(\.string).joined(separator: "\n")
        return reload["succeeded"].bool == false && errors.contains(part) ? errors : nil
      }
    }
  }

  @Test("the way that docs/bundles.md describes, typed as it stands")
  func documentation() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let page = try #require(readFile("\(root)/docs/bundles.md"))
    let start = try #require(page.firstRange(of: "## From nothing to a signed bundle\n"))
    let section = page[start.upperBound...].prefix(
      upTo: page[start.upperBound...].firstRange(of: "\n## ")?.lowerBound ?? page.endIndex)
    func block(_ language: String, after text: String) throws -> String {
      let rest = section[try #require(section.firstRange(of: text)).lowerBound...]
      let begin = try #require(rest.firstRange(of: "```\(language)\n")).upperBound
      return String(rest[begin..<(try #require(rest[begin...].firstRange(of: "```"))).lowerBound])
    }
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    let backend = try Backend()
    defer { backend.stop() }
    let configuration = try block("yaml", after: "`gateway.yaml`")
    #expect(configuration.contains("requireSignature: always") && configuration.contains("127.0.0.1:9001"))
    try folder.write(
      "gateway.yaml",
      configuration.replacing("port: 8080", with: "port: \(port.number)").replacing(
        "127.0.0.1:9001", with: "\(backend.endpoint)"))
    try folder.write("bin/none", "")
    #expect(symlink(WeftBinary.path, folder.path("bin/weft")) == 0)
    func type(_ commands: String) throws -> ToolResult {
      try Tool.run("sh", ["-ec", "cd \(folder.path); PATH=\(folder.path("bin")):$PATH\n\(commands)"])
    }
    let made = try type(try block("sh", after: "```sh\nweft bundle new"))
    #expect(made.code == 0, "\(made.output)\(made.errorOutput)")
    #expect(made.output.contains("4 passed") && made.output.contains("verified\n"))
    let check = try #require(try block("sh", after: "```sh\nweft check").split(separator: "\n").first)
    let checked = try type(String(check))
    #expect(checked.code == 0 && checked.output.hasPrefix("ok: "), "\(checked.output)\(checked.errorOutput)")
    let proxy = try WeftProcess([:], ["-f", folder.path("gateway.yaml")])
    defer { proxy.stop() }
    #expect(try RawClient(port.number).get("/")["x-gate"] == "greeting")
  }

  @Test("new, check, pack, keygen, sign, verify, run; a tampered archive is refused and the old one stays")
  func theWholeWay() throws {
    let w = try Workshop()
    defer { w.backend.stop() }
    #expect(try w.weft("filter", "test", w.path("greeting")).contains("4 passed"))
    #expect(try w.weft("bundle", "check", w.path("greeting")) == "ok: greeting 0.1.0, 1 script, 1 test file\n")
    try w.release()
    #expect(
      try w.weft("bundle", "verify", w.path("greeting.weft"), "--key", w.publicKey()).hasSuffix("\nverified\n"))
    let stranger = try WeftBinary.run("bundle", "verify", w.path("greeting.weft"), "--key", w.publicKey("stranger"))
    #expect(stranger.code == 1 && stranger.output.hasSuffix("not verified\n"))
    #expect(stranger.errorOutput.contains("none of the keys given has signed it"))

    let proxy = try w.run("../greeting.weft")
    defer { proxy.stop() }
    #expect(try w.curl().contains("x-handled-by: greeting\r\n"))
    #expect(try w.curl("/internal").hasPrefix("http/1.1 404 "))
    let digest = try #require(try w.weft("bundle", "digest", w.path("greeting")).split(separator: " ").first)
    let shown = try JSONValue(proxy.get("/bundles").text)["bundles"]
    #expect(shown.list.count == 1)
    #expect(shown[0]["digest"].string == String(digest))
    #expect(shown[0]["signedBy"].list.compactMap { $0["name"].string } == ["release"])
    #expect(shown[0]["filters"].list.compactMap(\.string) == ["default/greeting"])
    #expect(try proxy.get("/filters").text.contains("\"bundle\":{\"name\":\"greeting\",\"version\":\"0.1.0\""))

    // Other content under the old signature: its archive is canonical, and is not what was signed.
    try w.edit("an attacker's change")
    try w.weft("bundle", "pack", w.path("greeting"), "-o", w.path("greeting.weft"))
    let changed = try w.refusal(proxy, "is not what was signed")
    #expect(changed.contains("weft.yaml:") && changed.contains("spec.config.bundle: "))
    #expect(try w.curl().contains("x-handled-by: greeting\r\n"))
    // Bytes that are no archive.
    try writeFile(w.path("greeting.weft"), "tampered")
    _ = try w.refusal(proxy, "is no bundle archive")
    #expect(try w.curl().contains("x-handled-by: greeting\r\n"))
    let stays = try JSONValue(proxy.get("/bundles").text)["bundles"][0]
    #expect(stays["digest"].string == String(digest))

    // A new release takes its place.
    try proxy.reloaded { try w.release() }
    #expect(try JSONValue(proxy.get("/bundles").text)["bundles"][0]["digest"].string != String(digest))
  }

  @Test("a bundle that is unsigned or signed by a stranger is refused, and runs once it is signed")
  func mendedBySigning() throws {
    let w = try Workshop()
    defer { w.backend.stop() }
    try w.release()
    let proxy = try w.run("../greeting.weft")
    defer { proxy.stop() }
    // The configuration in force does not know this archive; what refers to it is watched all the same.
    try w.edit("another one")
    try w.release("other.weft", key: nil)
    try proxy.folder.write("config/weft.yaml", w.configuration("../other.weft"))
    let unsigned = try w.refusal(proxy, "other.weft is not signed")
    #expect(
      unsigned.contains("sign it with \\\"weft bundle sign") || unsigned.contains("sign it with \"weft bundle sign"))
    try w.weft("bundle", "sign", w.path("other.weft"), "--key", w.privateKey("stranger"))
    _ = try w.refusal(proxy, "is signed by nobody that is trusted")
    try proxy.reloaded { try w.weft("bundle", "sign", w.path("other.weft"), "--key", w.privateKey()) }
    #expect(try JSONValue(proxy.get("/bundles").text)["bundles"][0]["place"].string?.hasSuffix("other.weft") == true)
  }

  @Test("folders need a signature, too, and each edit a new one")
  func folders() throws {
    let w = try Workshop()
    defer { w.backend.stop() }
    try w.folder.write("config/weft.yaml", w.configuration("../greeting"))
    let refused = try WeftBinary.run("check", "-f", w.path("config"))
    #expect(refused.code == 1)
    #expect(refused.output.contains("spec.config.bundle: ") && refused.output.contains("greeting is not signed"))
    try w.weft("bundle", "sign", w.path("greeting"), "--key", w.privateKey())
    let proxy = try w.run("../greeting")
    defer { proxy.stop() }
    #expect(try w.curl().contains("x-handled-by: greeting\r\n"))
    let script = try #require(readFile(w.path("greeting/main.lua")))
    try writeFile(w.path("greeting/main.lua"), script.replacing("\"greeting\"", with: "\"edited\""))
    _ = try w.refusal(proxy, "is not what was signed")
    #expect(try w.curl().contains("x-handled-by: greeting\r\n"))
    try proxy.reloaded { try w.weft("bundle", "sign", w.path("greeting"), "--key", w.privateKey()) }
    #expect(try w.curl().contains("x-handled-by: edited\r\n"))
    // A key that is no longer trusted.
    let config = w.configuration("../greeting").replacing("release.pub", with: "stranger.pub")
    try writeFile(w.path("config/weft.yaml"), config)
    _ = try w.refusal(proxy, "is signed by nobody that is trusted")
    #expect(try w.curl().contains("x-handled-by: edited\r\n"))
  }

  @Test("settings that do not fit are a mistake at their place")
  func settings() throws {
    let w = try Workshop()
    defer { w.backend.stop() }
    let text = """
      apiVersion: weft.dev/v1
      kind: Filter
      metadata: {name: f}
      spec:
        type: lua
        config:
          bundle: ../greeting
          settings:
            header: "X Y"
            hiden: /admin
      """
    try w.folder.write("config/filter.yaml", text)
    let result = try WeftBinary.run("check", "-f", w.path("config"))
    #expect(result.code == 1)
    #expect(result.output.contains("filter.yaml:9: spec.config.settings.header: does not match the pattern"))
    #expect(result.output.contains("filter.yaml:10: spec.config.settings.hiden: the bundle has no such setting"))
  }

  @Test("bundles by name: folders and archives, and no other bundle under a name")
  func byName() throws {
    let w = try Workshop()
    defer { w.backend.stop() }
    try w.release("greeting-0.1.0.weft")
    try w.folder.write("config/weft.yaml", w.configuration("greeting-0.1.0"))
    let found = try WeftBinary.run("check", "-f", w.path("config"), "--bundles", w.folder.path)
    #expect(found.code == 0, "\(found.output)")
    #expect(rename(w.path("greeting-0.1.0.weft"), w.path("tag.weft")) == 0)
    #expect(rename(w.path("greeting-0.1.0.weft.sig"), w.path("tag.weft.sig")) == 0)
    try w.folder.write("config/weft.yaml", w.configuration("tag"))
    let renamed = try WeftBinary.run("check", "-f", w.path("config"), "--bundles", w.folder.path)
    #expect(renamed.code == 1 && renamed.output.contains("holds another bundle: greeting 0.1.0"))
  }
}
