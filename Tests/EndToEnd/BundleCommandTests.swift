import Glibc
import Testing

@Suite("weft bundle", .endToEnd)
struct BundleCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    _ = try weft("bundle", "new", "greeting", "--in", folder.path)
  }

  private var bundle: String { folder.path("greeting") }

  private func weft(_ arguments: String..., code: Int32 = 0) throws -> ToolResult {
    let result = try Tool.run(WeftBinary.path, arguments)
    #expect(result.code == code, "\(arguments): \(result.output)\(result.errorOutput)")
    return result
  }

  @Test(
    "every subcommand has help with an example",
    arguments: [
      "new", "editor", "check", "pack", "digest", "keygen", "sign", "verify", "inspect",
    ])
  func help(_ command: String) throws {
    let text = try weft("bundle", command, "--help").output
    #expect(text.contains("  weft bundle \(command) "))
    #expect(text.contains("--json"))
    let mistaken = try weft("bundle", command, "--no-such-option", code: 2)
    #expect(mistaken.output.isEmpty && mistaken.errorOutput.contains("Usage: weft bundle \(command) "))
  }

  @Test("with --json, each prints JSON and nothing else")
  func json() throws {
    func object(_ result: ToolResult) throws -> JSONValue {
      #expect(!result.output.contains("\u{1b}"))
      return try JSONValue(result.output)
    }
    let made = try object(weft("bundle", "new", "second", "--in", folder.path, "--json"))
    let help = [".luarc.json", ".weft/weft.lua", ".weft/weft-test.lua"]
    #expect(
      made["files"].list.compactMap(\.string) == ["bundle.yaml", "main.lua", "README.md", "tests/main_test.lua"] + help)
    let renewed = try object(weft("bundle", "editor", folder.path("second"), "--json"))
    #expect(renewed["files"].list.compactMap(\.string) == help)
    let keys = try object(weft("bundle", "keygen", folder.path("k"), "--json"))
    #expect(keys["privateKey"].string == folder.path("k.key.pem"))
    let archive = folder.path("greeting.weft")
    let packed = try object(weft("bundle", "pack", bundle, "-o", archive, "--json"))
    #expect(packed["file"].string == archive && packed["bytes"].int ?? 0 > 2048)
    let digest = try object(weft("bundle", "digest", bundle, "--json"))
    #expect(digest["digest"].string == packed["digest"].string)
    let signed = try object(weft("bundle", "sign", archive, "--key", folder.path("k.key.pem"), "--json"))
    #expect(signed["key"].string == keys["key"].string && signed["signatures"].int == 1)
    let verified = try object(weft("bundle", "verify", archive, "--key", folder.path("k.pub.pem"), "--json"))
    #expect(verified["verified"].bool == true && verified["signatures"][0]["validity"].string == "valid")
    let shown = try object(weft("bundle", "inspect", archive, "--json"))
    #expect(shown["name"].string == "greeting" && shown["signatures"][0]["validity"].string == "unknown")
    #expect(shown["settings"].list.compactMap { $0["name"].string } == ["header", "hidden"])
    #expect(try weft("bundle", "check", bundle, "--json").output.isEmpty)
  }

  @Test("a new bundle has what editors need, which is no part of it and can be written anew")
  func editor() throws {
    let help = [".luarc.json", ".weft/weft.lua", ".weft/weft-test.lua"]
    let configuration = try JSONValue(try #require(readFile("\(bundle)/.luarc.json")))
    let library = try #require(configuration["workspace.library"].list.first?.string)
    #expect(readFile("\(bundle)/\(library)/weft.lua")?.contains("---@class weft.Handle") == true)
    #expect(readFile("\(bundle)/\(library)/weft-test.lua")?.contains("---@class weft.test.Request") == true)
    let digest = try weft("bundle", "digest", bundle).output
    let packed = try weft("bundle", "pack", bundle, "-o", folder.path("g.weft"), "--json").output
    #expect(
      try JSONValue(packed)["files"].list.compactMap(\.string)
        == ["README.md", "bundle.yaml", "main.lua", "tests/main_test.lua"])
    for path in help { #expect(unlink("\(bundle)/\(path)") == 0) }
    #expect(try weft("bundle", "digest", bundle).output == digest)
    try folder.write("greeting/.luarc.json", "{}\n")
    _ = try weft("bundle", "editor", bundle + "/")
    #expect(try JSONValue(try #require(readFile("\(bundle)/.luarc.json")))["runtime.version"].string == "Lua 5.4")
    #expect(try weft("bundle", "digest", bundle).output == digest)
    let mistaken = try weft("bundle", "editor", folder.path, code: 1)
    #expect(mistaken.errorOutput.contains("has no bundle.yaml; name the folder of a bundle"))
  }

  @Test("the private key is for its owner alone, is never shown, and is not overwritten")
  func keygen() throws {
    let result = try weft("bundle", "keygen", folder.path("k"))
    var status = stat()
    #expect(stat(folder.path("k.key.pem"), &status) == 0 && status.st_mode & 0o777 == 0o600)
    let pem = try #require(readFile(folder.path("k.key.pem")))
    #expect(pem.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
    let secret = try #require(pem.split(separator: "\n").dropFirst().first)
    #expect(!result.output.contains(secret) && !result.errorOutput.contains(secret))
    let again = try weft("bundle", "keygen", folder.path("k"), code: 1)
    #expect(again.errorOutput.contains("is there already"))
    #expect(readFile(folder.path("k.key.pem")) == pem)
    // A private key in place of a public one is not printed either.
    let mistaken = try weft("bundle", "verify", bundle, "--key", folder.path("k.key.pem"), code: 1)
    #expect(mistaken.errorOutput.contains("this is a private key") && !mistaken.errorOutput.contains(secret))
    let mixedUp = try weft("bundle", "sign", bundle, "--key", folder.path("k.pub.pem"), code: 1)
    #expect(mixedUp.errorOutput.contains("this is a public key; the private one signs"))
    #expect(!mixedUp.errorOutput.contains("others can read"))
    let missing = try weft("bundle", "sign", bundle, "--key", folder.path("none.key.pem"), code: 1)
    #expect(missing.errorOutput.contains("there is no such file; \"weft bundle keygen NAME\" makes"))
    let unsigned = try weft("bundle", "verify", bundle, "--key", folder.path("k.pub.pem"), code: 1)
    #expect(unsigned.errorOutput.contains("sign it with: weft bundle sign"))
    chmod(folder.path("k.key.pem"), 0o644)
    let open = try weft("bundle", "sign", bundle, "--key", folder.path("k.key.pem"))
    #expect(open.errorOutput.contains("others can read"))
  }

  @Test("OpenSSL verifies what weft has signed, and weft what OpenSSL has signed")
  func openssl() throws {
    _ = try weft("bundle", "keygen", folder.path("k"))
    _ = try weft("bundle", "sign", bundle, "--key", folder.path("k.key.pem"))
    let digest = try #require(try weft("bundle", "digest", bundle).output.split(separator: " ").first)
    try folder.write("message", "weft bundle\n\(digest)\n")
    let file = try #require(readFile(bundle + "/bundle.sig"))
    let line = try #require(file.split(separator: "\n").first { $0.hasPrefix("  signature: ") })
    try folder.write("signature.b64", String(line.dropFirst("  signature: ".count)) + "\n")
    let verified = try Tool.run(
      "sh",
      [
        "-c",
        """
        cd "$1" && openssl base64 -d -A -in signature.b64 -out signature &&
        openssl pkeyutl -verify -pubin -inkey k.pub.pem -rawin -in message -sigfile signature
        """, "sh", folder.path,
      ])
    #expect(verified.code == 0, "\(verified.output)\(verified.errorOutput)")

    let foreign = try Tool.run(
      "sh",
      [
        "-c",
        """
        cd "$1" && openssl genpkey -algorithm ed25519 -out o.key.pem && openssl pkey -in o.key.pem -pubout -out o.pub.pem &&
        id=$(openssl pkey -pubin -in o.pub.pem -outform DER | sha256sum | cut -d' ' -f1) &&
        openssl pkeyutl -sign -inkey o.key.pem -rawin -in message -out own && {
          echo "digest: $2"; echo "signatures:"; echo "- key: sha256:$id"
          echo "  signature: $(openssl base64 -A -in own)"
        } > greeting/bundle.sig
        """, "sh", folder.path, String(digest),
      ])
    #expect(foreign.code == 0, "\(foreign.errorOutput)")
    #expect(try weft("bundle", "verify", bundle, "--key", folder.path("o.pub.pem")).output.hasSuffix("verified\n"))
  }

  @Test("several keys sign one bundle; a change drops their signatures; packing keeps them")
  func severalKeys() throws {
    for name in ["a", "b", "c"] { _ = try weft("bundle", "keygen", folder.path(name)) }
    for name in ["a", "b", "a"] { _ = try weft("bundle", "sign", bundle, "--key", folder.path("\(name).key.pem")) }
    func verify(_ path: String, _ names: String..., all: Bool = false) throws -> Int32 {
      let keys = names.flatMap { ["--key", folder.path("\($0).pub.pem")] }
      return try Tool.run(WeftBinary.path, ["bundle", "verify", path] + keys + (all ? ["--all"] : [])).code
    }
    #expect(try verify(bundle, "a", "b", all: true) == 0)
    #expect(try verify(bundle, "a", "c") == 0)
    #expect(try verify(bundle, "a", "c", all: true) == 1)
    #expect(try verify(bundle, "c") == 1)
    let archive = folder.path("g.weft")
    #expect(try weft("bundle", "pack", bundle, "-o", archive).output.contains("signatures  2, in \(archive).sig"))
    #expect(try verify(archive, "a", "b", all: true) == 0)
    try folder.write("greeting/README.md", "changed\n")
    #expect(try verify(bundle, "a") == 1)
    let signed = try weft("bundle", "sign", bundle, "--key", folder.path("c.key.pem"))
    #expect(signed.errorOutput.contains("were of other content and are dropped"))
    #expect(try verify(bundle, "a") == 1)
    #expect(try verify(bundle, "c") == 0)
  }

  @Test("what is wrong with a bundle is said with its place")
  func mistakes() throws {
    try folder.write("greeting/main.lua", "function on_request(request)\n  local x = = 1\nend\n")
    let broken = try weft("bundle", "check", bundle, code: 1)
    #expect(broken.output == "\(bundle)/main.lua:2: unexpected symbol near '='\n\(bundle): 1 error, 0 warnings\n")
    #expect(
      try weft("bundle", "pack", bundle, "-o", folder.path("g.weft"), code: 1).errorOutput.contains("main.lua:2:"))
    #expect(readFile(folder.path("g.weft")) == nil)
    try folder.write("greeting/main.lua", "x = 1\n")
    try folder.write("greeting/tests/main_test.lua", "test(\"x\", function()\n")
    let tests = try weft("bundle", "check", bundle, code: 1).output
    #expect(tests.contains("main.lua: warning: defines none of on_request, on_response and on_log"))
    #expect(tests.contains("tests/main_test.lua:2: "))
    try folder.write("greeting/bundle.yaml", "name: greeting\nversion: 1.0.0\nauthr: me\n")
    #expect(
      try weft("bundle", "inspect", bundle, code: 1).errorOutput
        == "\(bundle)/bundle.yaml:3: authr: unknown field \"authr\"; did you mean \"author\"?\n")
    #expect(try weft("bundle", "digest", folder.path("none"), code: 1).errorOutput.contains("cannot be opened"))
    #expect(
      try weft("bundle", "new", "greeting", "--in", folder.path, code: 1).errorOutput.contains("is there already"))
    #expect(try weft("bundle", "new", "Greeting", code: 2).errorOutput.contains("lower-case letters"))
    #expect(try weft("bundle", "pack", bundle, "-o", "x.tar", code: 2).errorOutput.contains(".weft"))
  }

  @Test("names and texts of strangers tell the terminal nothing")
  func escapes() throws {
    try folder.write(
      "greeting/bundle.yaml", "name: greeting\nversion: 1.0.0\ndescription: \"\\e]0;owned\\a\\e[31m\"\n")
    let text = try weft("bundle", "inspect", bundle).output
    #expect(!text.contains("\u{1b}") && !text.contains("\u{7}"))
    #expect(text.contains("\\x1b]0;owned\\x07"))
  }

  @Test("completion scripts know the commands and their options", arguments: ["bash", "zsh", "fish"])
  func completion(_ shell: String) throws {
    let script = try weft("--generate-completion-script", shell).output
    for word in ["bundle", "keygen", "inspect", "log-level"] { #expect(script.contains(word)) }
    guard shell == "bash" else { return }
    try folder.write("weft.bash", script)
    let check = try Tool.run("bash", ["-n", folder.path("weft.bash")])
    #expect(check.code == 0, "\(check.errorOutput)")
  }
}
