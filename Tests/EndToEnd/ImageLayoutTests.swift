import Glibc
import Testing

@Suite("Bundles in OCI image layouts and registries", .endToEnd)
struct ImageLayoutTests {
  /// A control plane with a signed bundle, which is exported.
  private struct Source {
    let scene: ControlScene
    let images: String
    let digest: String
    let key: String

    init() throws {
      scene = try ControlScene()
      try scene.start()
      let folder = scene.folder.path("greeting")
      key = scene.folder.path("key.pub.pem")
      for arguments in [
        ["bundle", "new", "greeting", "--in", scene.folder.path], ["bundle", "keygen", scene.folder.path("key")],
        ["bundle", "sign", folder, "--key", scene.folder.path("key.key.pem")],
      ] {
        let result = try Tool.run(WeftBinary.path, arguments)
        #expect(result.code == 0, "\(result.errorOutput)")
      }
      try scene.weft("bundle", "push", folder)
      images = scene.folder.path("images")
      try scene.weft("bundle", "export", "greeting", "--oci", images)
      digest = String(try Tool.run(WeftBinary.path, ["bundle", "digest", folder]).output.prefix(71))
    }

    func path(_ name: String) -> String { scene.folder.path(name) }
  }

  private func skopeo(_ arguments: String...) throws -> ToolResult {
    let result = try Tool.run("skopeo", ["--insecure-policy"] + arguments)
    #expect(result.code == 0, "skopeo \(arguments): \(result.errorOutput)")
    return result
  }

  /// Pushes what a folder holds to another control plane, which must have the same bundle then, signed by the same key.
  private func importing(_ folder: String, _ source: Source) throws {
    let other = try ControlScene()
    try other.start()
    #expect(try other.weft("bundle", "import", folder).output == "greeting:0.1.0 \(source.digest)\n")
    let inspected = try other.weft("bundle", "inspect", "greeting:0.1.0", "--key", source.key).output
    #expect(inspected.contains(source.digest) && inspected.contains("valid"), "\(inspected)")
    // It is a bundle like any other: it can be taken out again, as it was.
    let pulled = other.folder.path("greeting.weft")
    try other.weft("bundle", "pull", "greeting", "-o", pulled)
    let verified = try Tool.run(WeftBinary.path, ["bundle", "verify", pulled, "--key", source.key])
    #expect(verified.code == 0, "\(verified.errorOutput)")
  }

  @Test("skopeo reads a layout, and copies it to another one, which is imported")
  func layout() throws {
    let source = try Source()
    let manifest = try JSONValue(skopeo("inspect", "--raw", "oci:\(source.images):greeting:0.1.0").output)
    #expect(manifest["artifactType"].string == "application/vnd.weft.bundle.v1")
    #expect(manifest["layers"][0]["digest"].string == source.digest && manifest["layers"].list.count == 2)
    let copy = source.path("copy")
    _ = try skopeo("copy", "oci:\(source.images):greeting:0.1.0", "oci:\(copy):greeting:0.1.0")
    try importing(copy, source)
  }

  private static let hasRegistry = access("/usr/bin/docker-registry", X_OK) == 0

  @Test(
    "a registry carries it: by skopeo there, and back to a layout that is imported",
    .enabled(if: hasRegistry, "takes the package docker-registry"))
  func registry() throws {
    let source = try Source()
    let port = try ReservedPort()
    let folder = try TemporaryFolder()
    try folder.write(
      "registry.yml",
      """
      version: 0.1
      storage: {filesystem: {rootdirectory: \(folder.path("registry"))}}
      http: {addr: "127.0.0.1:\(port.number)"}

      """)
    let registry = try ChildProcess(
      "docker-registry", ["serve", folder.path("registry.yml")], in: folder, name: "registry")
    defer { registry.signal(SIGKILL) }
    try eventually("the registry to answer") {
      try Tool.run("curl", ["-sf", "--max-time", "10", "http://127.0.0.1:\(port.number)/v2/"]).code == 0
    }
    let place = "docker://127.0.0.1:\(port.number)/bundles/greeting:0.1.0"
    _ = try skopeo("copy", "--dest-tls-verify=false", "oci:\(source.images):greeting:0.1.0", place)
    let back = source.path("back")
    _ = try skopeo("copy", "--src-tls-verify=false", place, "oci:\(back):greeting:0.1.0")
    try importing(back, source)
  }
}
