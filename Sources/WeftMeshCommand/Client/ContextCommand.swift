import ArgumentParser
import WeftCommand
import WeftConfig

struct ContextCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "context",
    abstract: "Keep the control planes that you talk to.",
    discussion: """
      They are in ~/.weft/config (or WEFT_CONFIG), which only you can read.

      Examples:
        weft context add production https://weft.example:15080 --ca roots.pem --token-file token
        weft context use production
        weft context list
      """,
    subcommands: [Add.self, Use.self, List.self, Remove.self])

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "add", abstract: "Add a context, or change one, and use it when it is the first.",
      discussion: """
        Example:
          weft context add local http://127.0.0.1:15080
        """)

    @Argument var name: String
    @Argument(help: "URL of the control plane's API.") var url: String
    @Option(name: [.customShort("n"), .long], help: "The namespace for commands that name none.") var namespace: String?
    @Option(help: ArgumentHelp("File with a token of the API.", valueName: "file"), completion: .file())
    var tokenFile: String?
    @Option(help: ArgumentHelp("Roots of the control plane's certificate.", valueName: "file"), completion: .file())
    var ca: String?
    @Option(help: ArgumentHelp("Your certificate.", valueName: "file"), completion: .file()) var certificate: String?
    @Option(help: ArgumentHelp("Its key.", valueName: "file"), completion: .file()) var key: String?
    @Flag(help: "Use it from now on.") var use = false

    func validate() throws {
      if !url.hasPrefix("http://") && !url.hasPrefix("https://") {
        throw ValidationError("\(url) is no URL such as http://127.0.0.1:15080")
      }
      if (certificate == nil) != (key == nil) { throw ValidationError("--certificate and --key go together") }
    }

    func run() throws {
      try Findings.orExit(json: false) {
        var config = try ClientConfig(path: ClientConfig.path)
        var context = ClientConfig.Context(name: name, control: url)
        context.namespace = namespace
        context.ca = ca
        context.certificate = certificate
        context.key = key
        if let tokenFile {
          context.token = String(decoding: try BundleOutput.read(tokenFile), as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).first.map(String.init)
        }
        config.contexts.removeAll { $0.name == name }
        config.contexts.append(context)
        if use || config.current == nil { config.current = name }
        try config.write(to: ClientConfig.path)
        print("context \(name)\(config.current == name ? " is in use" : "")")
      }
    }
  }

  struct Use: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "use", abstract: "Use a context from now on.",
      discussion: """
        Example:
          weft context use production
        """)

    @OptionGroup var known: KnownContext

    func run() throws { try known.change("is in use") { $0.current = $1 } }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Forget a context.",
      discussion: """
        Example:
          weft context remove old
        """)

    @OptionGroup var known: KnownContext

    func run() throws {
      try known.change("removed") { config, name in
        config.contexts.removeAll { $0.name == name }
        if config.current == name { config.current = nil }
      }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List contexts.",
      discussion: """
        Example:
          weft context list
        """)

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
      try Findings.orExit(json: json) {
        let config = try ClientConfig(path: ClientConfig.path)
        if json {
          let contexts = config.contexts.map { context -> JSONValue in
            [
              "name": .string(context.name), "control": .string(context.control),
              "isCurrent": .bool(context.name == config.current), "hasToken": .bool(context.token != nil),
            ]
          }
          return print(JSONValue.array(contexts).text)
        }
        if config.contexts.isEmpty { return print("no contexts; make one with weft context add NAME URL") }
        var table = Table(columns: ["", "NAME", "CONTROL PLANE", "NAMESPACE", "CREDENTIALS"])
        for context in config.contexts {
          let credentials = context.token != nil ? "token" : context.certificate != nil ? "certificate" : ""
          table.add([
            context.name == config.current ? "*" : "", context.name, context.control, context.namespace ?? "default",
            credentials,
          ])
        }
        print(table.text(isTerminal: Terminal.hasColor(1)), terminator: "")
      }
    }
  }
}

/// A context that must be in the file.
struct KnownContext: ParsableArguments {
  @Argument var name: String

  /// Changes the file, and says what has become of the context.
  func change(_ outcome: String, _ body: (inout ClientConfig, _ name: String) -> Void) throws {
    try Findings.orExit(json: false) {
      var config = try ClientConfig(path: ClientConfig.path)
      guard config[name] != nil else { throw config.unknown(name) }
      body(&config, name)
      try config.write(to: ClientConfig.path)
    }
    print("context \(name) \(outcome)")
  }
}
