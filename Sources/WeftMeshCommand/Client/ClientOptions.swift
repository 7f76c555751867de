import ArgumentParser
import WeftCommand
import WeftConfig

/// Which control plane a command talks to, and as whom.
struct ClientOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "URL of the control plane's API (default: WEFT_CONTROL, the current context, http://127.0.0.1:15080).",
      valueName: "url"))
  var control: String?

  @Option(help: ArgumentHelp("The context to use; see weft context.", valueName: "name"))
  var context: String?

  @Option(
    help: ArgumentHelp("File with a token of the API (default: WEFT_TOKEN, the context's).", valueName: "file"),
    completion: .file())
  var tokenFile: String?

  @Option(
    help: ArgumentHelp("Roots by which the control plane's certificate is verified.", valueName: "file"),
    completion: .file())
  var ca: String?

  @Flag(help: "Print JSON.")
  var json = false

  static let fallback = "http://127.0.0.1:15080"

  /// What the options, the environment and the file come to.
  struct Resolved: Sendable {
    var control: String
    var token: String?
    var namespace: String?
    var ca: String?
    var certificate: String?
    var key: String?
  }

  func resolve() throws -> Resolved {
    let path = ClientConfig.path
    let config = try ClientConfig(path: path)
    var chosen: ClientConfig.Context?
    if let name = context ?? (control == nil && ClientConfig.environment("WEFT_CONTROL") == nil ? config.current : nil)
    {
      guard let found = config[name] else { throw config.unknown(name, in: path) }
      chosen = found
    }
    let address = control ?? (context == nil ? ClientConfig.environment("WEFT_CONTROL") : nil)
    // A context's token is for its own control plane and no other.
    if let address, let same = config.contexts.first(where: { $0.control == address }), chosen == nil { chosen = same }
    let isOwn = address == nil || address == chosen?.control
    var resolved = Resolved(control: address ?? chosen?.control ?? Self.fallback)
    if isOwn, let chosen {
      resolved.token = chosen.token
      resolved.certificate = chosen.certificate
      resolved.key = chosen.key
      resolved.ca = chosen.ca
    }
    resolved.namespace = chosen?.namespace
    if let ca { resolved.ca = ca }
    if let token = ClientConfig.environment("WEFT_TOKEN") { resolved.token = token }
    if let tokenFile {
      resolved.token = String(decoding: try BundleOutput.read(tokenFile), as: UTF8.self)
        .split(whereSeparator: \.isWhitespace).first.map(String.init)
    }
    return resolved
  }

  /// Does something with a connection; what goes wrong is said, and ends the command.
  func withClient<Result: Sendable>(
    _ body: @escaping @Sendable (ControlClient, Resolved) async throws -> Result
  ) throws -> Result {
    try Findings.orExit(json: json) {
      let resolved = try resolve()
      return try AsyncWork.run {
        let client = try ControlClient(resolved)
        do {
          let result = try await body(client, resolved)
          await client.close()
          return result
        } catch {
          await client.close()
          throw error
        }
      }
    }
  }
}

/// Which namespace a command is about.
struct NamespaceOption: ParsableArguments {
  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("The namespace (default: the context's, or \"default\").", valueName: "name"))
  var namespace: String?

  func resolve(_ resolved: ClientOptions.Resolved) -> String { namespace ?? resolved.namespace ?? "default" }
}

/// What went wrong, for the user.
struct ClientError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
