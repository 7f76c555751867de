import Glibc
import Testing

@testable import WeftConfig

@Suite struct ConfigLoaderTests {
  /// A folder that is removed with everything in it.
  final class TemporaryFolder {
    let path: String

    init() throws {
      var template = Array("/tmp/weft-config-XXXXXX".utf8CString)
      path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    func write(_ name: String, _ text: String) throws {
      let file = try #require(fopen("\(path)/\(name)", "w"))
      defer { fclose(file) }
      #expect(fputs(text, file) >= 0)
    }

    func makeFolder(_ name: String) { #expect(mkdir("\(path)/\(name)", 0o700) == 0) }

    func link(_ target: String, as name: String) { #expect(symlink(target, "\(path)/\(name)") == 0) }

    deinit { TemporaryFolder.removeAll(path) }

    private static func removeAll(_ path: String) {
      if unlink(path) == 0 { return }
      if let folder = opendir(path) {
        while let entry = readdir(folder) {
          let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
          }
          if name != ".", name != ".." { removeAll("\(path)/\(name)") }
        }
        closedir(folder)
      }
      rmdir(path)
    }
  }

  let filter = "apiVersion: weft.dev/v1\nkind: Filter\nmetadata: {name: NAME}\nspec: {type: cors}\n"

  @Test func foldersAreReadInOrder() throws {
    let folder = try TemporaryFolder()
    try folder.write("b.yaml", filter.replacing("NAME", with: "b"))
    try folder.write("a.yml", filter.replacing("NAME", with: "a"))
    try folder.write(
      "c.json", #"{"apiVersion": "weft.dev/v1", "kind": "Filter", "metadata": {"name": "c"}, "spec": {"type": "x"}}"#)
    try folder.write(".hidden.yaml", "nonsense")
    try folder.write("notes.txt", "nonsense")
    folder.makeFolder("sub.d")
    let loaded = ConfigLoader.load(paths: [folder.path])
    #expect(loaded.diagnostics.isEmpty)
    #expect(loaded.resources.filters.all.map(\.metadata.name) == ["a", "b", "c"])
    #expect(loaded.files == ["a.yml", "b.yaml", "c.json"].map { "\(folder.path)/\($0)" })
    #expect(loaded.folders == [folder.path])
  }

  @Test func mountedConfigMapsAreRead() throws {
    let folder = try TemporaryFolder()
    folder.makeFolder("..2024")
    try folder.write("..2024/a.yaml", filter.replacing("NAME", with: "a"))
    folder.link("..2024", as: "..data")
    folder.link("..data/a.yaml", as: "a.yaml")
    let loaded = ConfigLoader.load(paths: [folder.path])
    #expect(loaded.diagnostics.isEmpty)
    #expect(loaded.resources.filters.count == 1)
  }

  @Test func filesGivenTwiceAreReadOnce() throws {
    let folder = try TemporaryFolder()
    try folder.write("a.yaml", filter.replacing("NAME", with: "a"))
    folder.link("a.yaml", as: "b.yaml")
    let loaded = ConfigLoader.load(paths: ["\(folder.path)/a.yaml", folder.path])
    #expect(loaded.diagnostics.isEmpty)
    #expect(loaded.files.count == 1)
  }

  @Test func unreadableFiles() throws {
    let folder = try TemporaryFolder()
    folder.makeFolder("empty")
    #expect(mkfifo("\(folder.path)/pipe", 0o600) == 0)
    let paths = ["missing.yaml", "pipe", "empty"].map { "\(folder.path)/\($0)" }
    let loaded = ConfigLoader.load(paths: paths)
    #expect(
      Set(loaded.diagnostics.map { $0.description.replacing(folder.path, with: "F") }) == [
        "F/missing.yaml: cannot be read: No such file or directory", "F/pipe: is no regular file",
        "F/empty: warning: holds no *.yaml, *.yml or *.json file",
      ])
  }

  @Test func emptyFilesAreMistakes() throws {
    let folder = try TemporaryFolder()
    try folder.write("a.yaml", "")
    try folder.write("b.yaml", "# nothing yet\n")
    let loaded = ConfigLoader.load(paths: [folder.path])
    #expect(
      loaded.diagnostics.map { $0.description.replacing(folder.path, with: "F") } == [
        "F/a.yaml: is empty; write into it, if only a comment, or delete it"
      ])
    #expect(loaded.files.count == 2)
  }

  @Test func duplicatesNameBothPlaces() throws {
    let folder = try TemporaryFolder()
    let text = filter.replacing("NAME", with: "x")
    try folder.write("a.yaml", text)
    try folder.write(
      "b.yaml", "\(text)---\n\(filter.replacing("NAME", with: "y"))---\n\(filter.replacing("NAME", with: "y"))")
    let loaded = ConfigLoader.load(paths: [folder.path])
    #expect(
      loaded.diagnostics.map { $0.description.replacing(folder.path + "/", with: "") } == [
        "b.yaml:3: metadata: Filter.weft.dev default/x is defined twice, first at a.yaml:1; rename or remove one",
        "b.yaml:13: metadata: Filter.weft.dev default/y is defined twice, first at line 6; rename or remove one",
      ])
  }

  @Test func oneProxyAtMost() {
    let text = """
      apiVersion: weft.dev/v1
      kind: Proxy
      metadata: {name: a}
      ---
      apiVersion: weft.dev/v1
      kind: Proxy
      metadata: {name: b}
      """
    #expect(
      diagnostics(text) == [
        "a.yaml:7: metadata: only one Proxy.weft.dev may exist, and default/a is defined at line 1; merge the two"
      ])
  }

  @Test(arguments: [
    ("[1]", "a.yaml:1: expected a resource with apiVersion, kind and metadata, not a list"),
    ("a: 1", "a.yaml:1: kind: is missing; a resource begins with one such as \"HTTPRoute\""),
    (
      "kind: Filter",
      "a.yaml:1: apiVersion: is missing; a resource begins with one such as \"gateway.networking.k8s.io/v1\""
    ),
    ("{kind: 5, apiVersion: v1}", "a.yaml:1: kind: expected a string, not the number 5; write \"5\" in quotes"),
    (
      "{kind: Gateway, apiVersion: gateway.networking.k8s.io/v9}",
      "a.yaml:1: apiVersion: version \"v9\" of Gateway is not known; use gateway.networking.k8s.io/v1"
    ),
    (
      "{kind: Deployment, apiVersion: apps/v1}",
      "a.yaml:1: warning: kind: kind \"Deployment\" of apps/v1 is not one that Weft reads; skipped"
    ),
    (
      "{kind: HttpRout, apiVersion: gateway.networking.k8s.io/v1}",
      """
      a.yaml:1: kind: kind "HttpRout" of gateway.networking.k8s.io/v1 is not known; did you mean "HTTPRoute"?
      """
    ),
    (
      "{kind: UDPRoute, apiVersion: gateway.networking.k8s.io/v1}",
      "a.yaml:1: warning: kind: kind \"UDPRoute\" of gateway.networking.k8s.io/v1 is not one that Weft reads; skipped"
    ),
    ("{kind: Filter, apiVersion: weft.dev/v1, spec: {type: a}}", "a.yaml:1: metadata: is missing; it must be given"),
    (
      "{kind: Filter, apiVersion: weft.dev/v1, metadata: {name: A_b}, spec: {type: a}}",
      """
      a.yaml:1: metadata.name: "A_b" is not allowed; use up to 253 lower-case letters, digits, "-" and ".", with a \
      letter or digit at both ends of each label
      """
    ),
    (
      "{kind: Filter, apiVersion: weft.dev/v1, metadata: {name: a}, spec: {type: a}, sepc: {}}",
      "a.yaml:1: sepc: unknown field \"sepc\"; did you mean \"spec\"?"
    ),
  ])
  func documents(text: String, message: String) {
    #expect(diagnostics(text) == [message])
  }

  @Test func diagnosticsStandInTheOrderOfPlaces() {
    let text = rule("  - backendRefs: [{group: weft.dev, name: x}]\n    nmae: a") + "\n---\na: 1"
    let lines = ConfigLoader.load(text: text, file: "a.yaml").diagnostics.map(\.location.line)
    #expect(lines == lines.sorted() && lines.count == 2)
  }

  @Test func theCommandLineMakesAConfiguration() throws {
    let loaded = ConfigLoader.load(
      listen: [":8080", "[::1]:8081"], to: ["127.0.0.1:9001", "unix:/run/a b.sock"], filters: ["filters/tag", "/x"])
    #expect(loaded.diagnostics.map(\.description) == [])
    let set = loaded.resources
    #expect(set.gateways.all.map { $0.addresses.map(\.value) } == [[], ["::1"]])
    #expect(set.gateways.all.flatMap { $0.listeners.map(\.port) } == [8080, 8081])
    #expect(set.weftServices.all[0].endpoints.map(\.address) == [.ip("127.0.0.1", port: 9001), .unix("/run/a b.sock")])
    #expect(set.filters.all.map { $0.config["bundle"]?.stringValue } == ["./filters/tag", "/x"])
    let route = try #require(set.httpRoutes.all.first)
    #expect(route.rules[0].filters.count == 2)
    #expect(set.attachments(of: route).attached.count == 2)
  }

  @Test func theCommandLineIsChecked() {
    let loaded = ConfigLoader.load(listen: ["localhost:80"], to: ["http://a"])
    #expect(
      loaded.diagnostics.map(\.description)
        == [
          """
          command line: ["--listen"]: "localhost:80" is no address to listen on; write :8080, 127.0.0.1:8080, [::1]:8080 or \
          unix:/path
          """,
          "command line: [\"--to\"]: \"http://a\" is no endpoint; write host:port, such as 127.0.0.1:9001, or unix:/path",
        ].map { $0.replacing("[\"", with: "").replacing("\"]:", with: ":") })
  }
}
