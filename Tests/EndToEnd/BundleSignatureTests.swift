import Glibc
import Testing

@Suite("Signed bundles in a mesh", .endToEnd)
struct BundleSignatureTests {
  @Test("with requireSignature only what a trusted key has signed runs, and keys can be replaced")
  func required() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    let mesh = scene.mesh
    func tool(_ arguments: String..., code: Int32 = 0) throws -> ToolResult {
      let result = try Tool.run(WeftBinary.path, arguments)
      #expect(result.code == code, "\(arguments): \(result.errorOutput)\(result.output)")
      return result
    }
    func api(_ arguments: String..., code: Int32 = 0) throws -> ToolResult {
      let result = try Tool.run(WeftBinary.path, arguments + ["--control", mesh.apiURL])
      #expect(result.code == code, "\(arguments): \(result.errorOutput)\(result.output)")
      return result
    }
    for key in ["first", "second", "stranger"] { _ = try tool("bundle", "keygen", mesh.folder.path(key)) }
    func sign(_ version: String, _ key: String) throws {
      _ = try tool(
        "bundle", "sign", mesh.folder.path("tagger-\(version)"), "--key", mesh.folder.path("\(key).key.pem"))
    }
    func trust(_ keys: String..., code: Int32 = 0) throws -> ToolResult {
      let lines = try keys.map { key in
        let pem = try #require(readFile(mesh.folder.path("\(key).pub.pem")))
        let indented = pem.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n")
        return "    \(key): |\n\(indented)\n"
      }
      try mesh.folder.write(
        "settings.yaml",
        "apiVersion: weft.dev/v1\nkind: Proxy\nmetadata: {name: default, namespace: weft-system}\nspec:\n"
          + "  requireSignature: always\n  trustedKeys:\n\(lines.joined())")
      return try api("apply", "-f", mesh.folder.path("settings.yaml"), code: code)
    }

    // What is in use is not signed: the settings are refused, and say what would be.
    let early = try trust("first", code: 1).errorOutput
    #expect(early.contains("FilterBundle") && early.contains("is not signed"), "\(early)")

    // Signed, pushed again, and trusted.
    try sign("1.0.0", "first")
    _ = try api("bundle", "push", mesh.folder.path("tagger-1.0.0"), "--skip-tests")
    _ = try trust("first")
    try eventually("the proxy to know who has signed") {
      try scene.version() == "1.0.0" && mesh.weft("status", "--json").output.contains("\"synced\"")
    }

    // Not signed, and signed by somebody else: neither is used, and what is wrong is said.
    try scene.write("1.1.0", RolloutScene.tags("1.1.0"))
    let unsigned = try api(
      "bundle", "push", mesh.folder.path("tagger-1.1.0"), "--skip-tests", "--use", code: 1
    ).errorOutput
    #expect(unsigned.contains("is not signed") && unsigned.contains("weft bundle sign"), "\(unsigned)")
    #expect(unsigned.contains("was pushed, but FilterBundle default/tagger does not use it"), "\(unsigned)")
    try sign("1.1.0", "stranger")
    let foreign = try api(
      "bundle", "push", mesh.folder.path("tagger-1.1.0"), "--skip-tests", "--use", code: 1
    ).errorOutput
    #expect(foreign.contains("signed by nobody that is trusted"), "\(foreign)")
    let rollout = try api("bundle", "rollout", "tagger", "--to", "1.1.0", code: 1).errorOutput
    #expect(rollout.contains("signed by nobody that is trusted"), "\(rollout)")
    #expect(try scene.version() == "1.0.0")
    try sign("1.1.0", "first")
    _ = try api("bundle", "push", mesh.folder.path("tagger-1.1.0"), "--skip-tests", "--use")
    try eventually("the signed version") { try scene.version() == "1.1.0" }

    // The key is replaced: first nothing is signed by the new one, then it is, with the archives where they are.
    let rotated = try trust("second", code: 1).errorOutput
    #expect(rotated.contains("signed by nobody that is trusted"), "\(rotated)")
    try sign("1.1.0", "second")
    _ = try api("bundle", "push", mesh.folder.path("tagger-1.1.0"), "--skip-tests")
    _ = try trust("second")
    try eventually("the proxy to have the new signature, and no refusals") {
      let file = "\(scene.archives(0))/\(scene.digest("1.1.0").dropFirst("sha256:".count)).weft.sig"
      let signatures = readFile(file) ?? ""
      let proxy = try JSONValue(try mesh.weft("status", "--json").output)["proxies"][0]
      return signatures.split(separator: "\n").count { $0.contains("- key:") } == 3
        && proxy["sync"].string == "synced" && proxy["rejections"].list.isEmpty
    }
    #expect(try scene.version() == "1.1.0")

    // A path is of no use to a control plane.
    try mesh.folder.write(
      "settings.yaml",
      "{apiVersion: weft.dev/v1, kind: Proxy, metadata: {name: default, namespace: weft-system}, "
        + "spec: {trustedKeys: {release: keys/release.pub.pem}}}")
    let path = try api("apply", "-f", mesh.folder.path("settings.yaml"), code: 1).errorOutput
    #expect(path.contains("PEM text"), "\(path)")
  }
}
