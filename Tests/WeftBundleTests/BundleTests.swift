import Glibc
import Testing
import WeftBundle
import WeftConfig
import WeftCrypto

@Suite struct BundleTests {
  static let manifest = "name: tag\nversion: 1.2.3\n"

  /// The one line that is wrong with the bundle in `folder`, without the folder's own path.
  private func failure(_ folder: TemporaryFolder) -> String? {
    do throws(ConfigError) {
      _ = try Bundle(folder: folder.path)
      return nil
    } catch {
      return error.description.replacing(folder.path, with: "B")
    }
  }

  @Test func aBundleIsItsManifestAndItsLuaFiles() throws {
    let folder = try TemporaryFolder([
      "bundle.yaml": """
      name: tag
      version: 1.2.3
      description: Tags requests.
      entry: lib/start.lua
      limits: {memory: 4MiB, cpu: 5ms, body: 64KiB, logLines: 10}
      author: Somebody
      license: Apache-2.0
      services: [users, "shop/stock:8080"]
      shared: {sessions: 2MiB, counters: 64KiB}
      minimumWeft: 0.1.0
      """,
      "lib/start.lua": "-- start", "util.lua": "-- util", "tests/main.lua": "-- test", "README.md": "text",
      ".hidden.lua": "-- hidden", ".git/config.lua": "-- git", "key.pem": "secret", "main.lua~": "old",
      "bundle.sig": "",
    ])
    let bundle = try Bundle(folder: folder.path)
    #expect(bundle.manifest.name == "tag")
    #expect(bundle.manifest.version == SemanticVersion(1, 2, 3))
    #expect(bundle.manifest.entry == "lib/start.lua")
    #expect(bundle.manifest.limits.memory == 4 << 20)
    #expect(bundle.manifest.limits.cpu == .milliseconds(5))
    #expect(bundle.manifest.limits.body == 64 << 10)
    #expect(bundle.manifest.limits.logLines == 10)
    #expect(bundle.manifest.services == ["users", "shop/stock:8080"])
    #expect(bundle.manifest.author == "Somebody" && bundle.manifest.license == "Apache-2.0")
    #expect(bundle.manifest.shared == ["sessions": 2 << 20, "counters": 64 << 10])
    #expect(bundle.manifest.minimumWeft == SemanticVersion(0, 1, 0))
    #expect(bundle.sources.map(\.path) == ["lib/start.lua", "util.lua"])
    #expect(
      bundle.files.map(\.path) == ["README.md", "bundle.yaml", "lib/start.lua", "tests/main.lua", "util.lua"])
    #expect(!bundle.isArchive && bundle.signaturePath == folder.path + "/bundle.sig")
  }

  @Test func theDigestIsThatOfTheContent() throws {
    let files = ["bundle.yaml": Self.manifest, "main.lua": "-- one", "lib/a.lua": "-- a"]
    let (one, other) = (try TemporaryFolder(files), try TemporaryFolder(files))
    let first = try Bundle(folder: one.path)
    let same = try Bundle(folder: other.path)
    #expect(first.digest == same.digest)
    #expect(SHA256Digest(first.digest.description) == first.digest)
    for change in [
      ["main.lua": "-- two"], ["lib/b.lua": "-- a"], ["bundle.yaml": Self.manifest + "description: x\n"],
      ["README.md": "text"], ["tests/t.lua": "-- t"],
    ] {
      let folder = try TemporaryFolder(files.merging(change) { $1 })
      #expect(try Bundle(folder: folder.path).digest != first.digest)
    }
    // What is no part of it.
    let littered = try TemporaryFolder(files.merging(["bundle.sig": "x", ".git/a.lua": "x", "run.sh": "x"]) { $1 })
    #expect(try Bundle(folder: littered.path).digest == first.digest)
    // An archive of it is the same bundle.
    try one.write("packed.weft", bytes: first.archive)
    let archive = one.path + "/packed.weft"
    let packed = try Bundle(at: archive)
    #expect(packed.digest == first.digest && packed.files == first.files && packed.isArchive)
  }

  @Test func mistakesInTheManifestHaveTheirPlace() throws {
    let folder = try TemporaryFolder([
      "bundle.yaml":
        "name: Tag\nversion: one\nentry: ../main.lua\nlimits:\n  cpu: 1h\nentri: x\nshared:\n  c: 1\n",
      "main.lua": "",
    ])
    let lines = try #require(failure(folder)).split(separator: "\n")
    let starts = [
      "bundle.yaml:1: name: ", "bundle.yaml:2: version: ", "bundle.yaml:3: entry: ", "bundle.yaml:5: limits.cpu: ",
      "bundle.yaml:6: entri: ", "bundle.yaml:8: shared.c: ",
    ]
    #expect(lines.count == starts.count)
    for start in starts { #expect(lines.contains { $0.hasPrefix("B/" + start) }, "\(start) in \(lines)") }
  }

  @Test func whatIsMissing() throws {
    #expect(
      failure(try TemporaryFolder(["main.lua": ""]))
        == "B/bundle.yaml: there is no such file; every bundle holds one")
    #expect(
      failure(try TemporaryFolder(["bundle.yaml": Self.manifest]))
        == "B/bundle.yaml:1: there is no file \"main.lua\" in the bundle")
    #expect(
      failure(try TemporaryFolder(["bundle.yaml": "", "main.lua": ""]))
        == "B/bundle.yaml: holds 0 documents; a manifest is one")
    let gone = try TemporaryFolder()
    do throws(ConfigError) {
      _ = try Bundle(folder: gone.path + "/none")
      Issue.record("read a folder that is not there")
    } catch {
      #expect(error.description.contains("cannot be opened"))
    }
  }

  @Test func linksMayNotLeadOutside() throws {
    let outside = try TemporaryFolder(["secret.lua": "-- secret"])
    let folder = try TemporaryFolder(["bundle.yaml": Self.manifest, "main.lua": ""])
    try folder.link("lib.lua", to: outside.path + "/secret.lua")
    #expect(failure(folder) == "B/lib.lua: is a link that leads outside the bundle")

    let other = try TemporaryFolder(["bundle.yaml": Self.manifest, "main.lua": ""])
    try other.link("lib", to: outside.path)
    #expect(failure(other) == "B/lib: is a link that leads outside the bundle")

    // A folder whose path merely begins the same is outside.
    let neighbour = try TemporaryFolder(["a/bundle.yaml": Self.manifest, "a/main.lua": "", "ab/x.lua": ""])
    try neighbour.link("a/x.lua", to: neighbour.path + "/ab/x.lua")
    #expect(throws: ConfigError.self) { try Bundle(folder: neighbour.path + "/a") }
  }

  /// As Kubernetes mounts a ConfigMap.
  @Test func linksInsideAreFollowed() throws {
    let folder = try TemporaryFolder(["..2024/bundle.yaml": Self.manifest, "..2024/main.lua": "-- main"])
    try folder.link("..data", to: "..2024")
    try folder.link("bundle.yaml", to: "..data/bundle.yaml")
    try folder.link("main.lua", to: "..data/main.lua")
    let bundle = try Bundle(folder: folder.path)
    #expect(bundle.sources == [Bundle.Source(path: "main.lua", text: Array("-- main".utf8))])
  }

  @Test func aLoopOfLinksEnds() throws {
    let folder = try TemporaryFolder(["bundle.yaml": Self.manifest, "main.lua": ""])
    try folder.link("loop", to: ".")
    #expect(throws: ConfigError.self) { try Bundle(folder: folder.path) }
  }

  @Test func sizesAreBounded() throws {
    let long = String(repeating: "-", count: Bundle.Limits.fileBytes + 1)
    let large = try TemporaryFolder(["bundle.yaml": Self.manifest, "main.lua": long])
    #expect(failure(large) == "B/main.lua: has more than \(Bundle.Limits.fileBytes) bytes")

    let many = try TemporaryFolder(["bundle.yaml": Self.manifest, "main.lua": ""])
    for i in 0...Bundle.Limits.files { try many.write("f\(i).lua", "") }
    #expect(failure(many) == "B: the bundle has more than \(Bundle.Limits.files) files")

    let deep = try TemporaryFolder(["bundle.yaml": Self.manifest, "main.lua": "", "a/b/c/d/e/f/g/h/i/j.lua": ""])
    #expect(throws: ConfigError.self) { try Bundle(folder: deep.path) }
  }

  @Test func aPipeDoesNotHoldUsUp() throws {
    let folder = try TemporaryFolder(["bundle.yaml": Self.manifest])
    #expect(mkfifo(folder.path + "/main.lua", 0o600) == 0)
    #expect(failure(folder) == "B/main.lua: is no regular file")
  }

  @Test func namesThatMeanSomethingElseElsewhereAreRefused() throws {
    for (name, reason) in [
      ("a b.lua", "odd name"), ("é.lua", "odd name"), ("a:b.lua", "odd name"), ("LIB.lua", "cannot lie beside"),
    ] {
      let folder = try TemporaryFolder(["bundle.yaml": Self.manifest, "main.lua": "", "lib.lua": "", name: ""])
      #expect(failure(folder)?.contains(reason) == true, "\(name)")
    }
  }

  @Test func whatIsNoBundle() throws {
    let folder = try TemporaryFolder(["main.lua": "-- a script", "text.weft": "no archive"])
    #expect(throws: ConfigError.self) { try Bundle(at: folder.path + "/main.lua") }
    #expect(throws: ConfigError.self) { try Bundle(at: folder.path + "/text.weft") }
    #expect(throws: ConfigError.self) { try Bundle(at: folder.path + "/none.weft") }
  }
}
