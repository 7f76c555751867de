import Testing

/// What newcomers type wrong, and that they are told what to do.
@Suite("Mistakes on the command line of a mesh", .endToEnd)
struct MistakeTests {
  private func says(
    _ scene: ControlScene, _ arguments: [String], code: Int32, _ text: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try Tool.run(
      "env",
      ["WEFT_CONTROL=\(scene.url)", "WEFT_CONFIG=\(scene.folder.path("client/config"))", WeftBinary.path] + arguments)
    let all = result.output + result.errorOutput
    #expect(
      result.code == code && all.contains(text), "weft \(arguments.joined(separator: " ")): \(result.code): \(all)",
      sourceLocation: sourceLocation)
    // The libraries' own words, and places of the machine where this was built.
    for foreign in ["NIOSSL", ".swift", "HTTPClientError", "checkouts", "Optional("] {
      #expect(!all.contains(foreign), "\(all)", sourceLocation: sourceLocation)
    }
  }

  @Test("names that do not exist")
  func names() throws {
    let scene = try ControlScene()
    try scene.start()
    for (arguments, code, text) in [
      (["aply", "-f", "x.yaml"], 2, "did you mean \"weft apply\"?"),
      (["ca", "rotat"], 2, "did you mean \"weft ca rotate\"?"),
      (["bundle", "psh", "x"], 2, "did you mean \"weft bundle push\"?"),
      (["filter", "tst"], 2, "did you mean \"weft filter test\"?"), (["quux"], 2, "there are run, check"),
      (["get", "htproutes"], 1, "did you mean \"httproutes\"?"),
      (["get", "quux"], 1, "there are authorizationpolicies"),
      (
        ["get", "httproute", "nope"], 1,
        "no HTTPRoute.gateway.networking.k8s.io named \"nope\" in namespace \"default\""
      ),
      (["describe", "gateway/default/edge"], 1, "weft status lists them"), (["describe", "httproute"], 2, "KIND NAME"),
      (["history", "httproute"], 2, "say whose history"), (["status", "nope"], 1, "no proxy whose id begins with"),
      (["get", "namespaces"], 0, "no namespaces\n"),
      (["apply", "-f", "nofile.yaml"], 1, "nofile.yaml: cannot be read"),
      (
        ["token", "create", "--join", "--service", "Reviews"], 1,
        "\"default/Reviews\" is no NAMESPACE/NAME of a service"
      ),
      (["token", "create", "--join"], 2, "--service NAME or --gateway NAME"),
      (["context", "list"], 0, "make one with"),
      (["context", "use", "nope"], 1, "no context \"nope\""), (["bundle", "inspect", "nope"], 1, "no bundle named"),
      (["sidecar", "--service", "a", "--app", "9080"], 2, "--app takes IP:PORT"), (["gateway"], 2, "--name"),
      (["gateway", "--name", "edge", "--state", scene.folder.path("s")], 1, "weft token create --join"),
    ] as [([String], Int32, String)] {
      try says(scene, arguments, code: code, text)
    }
  }

  @Test("control planes that are not there, or are another thing")
  func places() throws {
    let scene = try ControlScene()
    try scene.start()
    let closed = try ReservedPort()
    let discovery = "127.0.0.1:\(scene.discovery.number)"
    for (url, text) in [
      ("http://127.0.0.1:\(closed.number)", "is \"weft control\" running there?"),
      ("http://\(discovery)", "not that of proxies"), ("https://127.0.0.1:\(scene.api.number)", "write http://"),
      ("https://\(discovery)", "--ca FILE"), ("127.0.0.1:15080", "is no URL of a control plane"),
      ("http://nobody.invalid:15080", "its name cannot be resolved"),
    ] {
      try says(scene, ["get", "httproutes", "--control", url], code: 1, text)
    }
    // Once there are tokens, nobody does without.
    try scene.weft("token", "create", "root", "--role", "admin")
    try says(scene, ["get", "httproutes"], code: 1, "give a token with --token-file")

    try scene.folder.write("not-a.token", MeshScene.service("a"))
    try scene.folder.write("empty.token", "\n")
    try says(
      scene,
      ["sidecar", "--service", "a", "--app", "localhost:9080", "--token-file", scene.folder.path("not-a.token")],
      code: 1,
      "this is no join token; \"weft token create --join\" makes one")
    try says(
      scene,
      ["sidecar", "--service", "a", "--app", "localhost:9080", "--token-file", scene.folder.path("empty.token")],
      code: 1,
      "empty.token is empty; make a join token")
  }

  @Test("a proxy that cannot reach the control plane, or whose resource does not exist, says so")
  func proxies() throws {
    let mesh = try MeshScene()
    let closed = try ReservedPort()
    func says(_ text: String, control: Int? = nil) throws {
      let name = "edge-\(control ?? 0)"
      let token = try Tool.run(
        WeftBinary.path, ["token", "create", "--join", "--gateway", name, "--control", mesh.apiURL]
      ).output.split(whereSeparator: \.isWhitespace).joined()
      let edge = try WeftProcess(
        command: [
          "gateway", "--name", name, "--control", "127.0.0.1:\(control ?? mesh.discovery.number)", "--state",
          mesh.folder.path(name),
        ], folder: mesh.folder, name: name, isAwaited: false, environment: ["WEFT_JOIN_TOKEN": token])
      try eventually(text, within: 60) { edge.log.contains(text) }
      edge.process.signal(9)
      _ = try edge.process.waitForEnd()
    }
    try says("the control plane has no Gateway default/edge-0: nothing is served until it is applied")
    try says("cannot be reached: ", control: closed.number)
    try says("onnection refused", control: closed.number)
    try says("name the port of discovery", control: mesh.api.number)
  }
}
