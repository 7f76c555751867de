import ArgumentParser
import Foundation
import WeftCommand
import WeftConfig
import WeftControl

struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Make and revoke tokens: of the API for people and programs, and for proxies to join the mesh.",
    discussion: """
      As long as there is no token of the API, every user of the control plane's machine is an administrator. Once there \
      is one, everybody needs one; the first one is an administrator's.

      Examples:
        weft token create alice --role admin
        weft token create ci --role editor --lifetime 90d
        weft token create --join --service reviews
        weft token create --join --gateway edge --reusable --lifetime 1h
        weft token list
        weft token revoke ci
      """,
    subcommands: [Create.self, List.self, Revoke.self])

  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Make a token. It is shown once, and not kept.",
      discussion: """
        Examples:
          weft token create alice --role admin
          weft token create --join --service reviews
        """)

    @Argument(help: ArgumentHelp("A name for the token of the API.", valueName: "name"))
    var name: String?

    @Option(help: "viewer, publisher, editor or admin.")
    var role: APIRole?

    @Flag(help: "Make a token with which a proxy gets its certificate.")
    var join = false

    @Option(help: ArgumentHelp("With --join: the service beside which the sidecar runs.", valueName: "name"))
    var service: String?

    @Option(help: ArgumentHelp("With --join: the gateway.", valueName: "name"))
    var gateway: String?

    @Flag(help: "With --join: more than one proxy may use it.")
    var reusable = false

    @Option(help: ArgumentHelp("How long it is good: 30m, 12h, 90d.", valueName: "time"))
    var lifetime: String?

    @OptionGroup var namespace: NamespaceOption
    @OptionGroup var client: ClientOptions

    func validate() throws {
      if lifetime != nil, seconds == nil { throw ValidationError("--lifetime takes a time such as 30m, 12h or 90d") }
      if join {
        if (service == nil) == (gateway == nil) {
          throw ValidationError("--join needs --service NAME or --gateway NAME")
        }
        if name != nil || role != nil { throw ValidationError("a name and --role go without --join") }
      } else {
        if name == nil { throw ValidationError("say how the token is called: weft token create NAME --role ROLE") }
        if role == nil { throw ValidationError("say what the token may do: --role viewer, publisher, editor or admin") }
        if service != nil || gateway != nil || reusable {
          throw ValidationError("--service, --gateway and --reusable go with --join")
        }
      }
    }

    /// At most ten years, as the API takes it.
    private var seconds: Int? {
      guard let lifetime, let unit = lifetime.last, let number = Int(lifetime.dropLast()), number > 0,
        let size = ["s": 1, "m": 60, "h": 3_600, "d": 86_400][String(unit)], number <= 315_360_000 / size
      else { return nil }
      return number * size
    }

    func run() throws {
      var body: JSONValue = .object([:])
      body["lifetimeSeconds"] = seconds.map { .number("\($0)") }
      if join {
        body["kind"] = .string(gateway == nil ? "sidecar" : "gateway")
        body["name"] = .string(gateway ?? service ?? "")
        body["isReusable"] = .bool(reusable)
      } else {
        body["name"] = .string(name ?? "")
        body["role"] = .string(role?.rawValue ?? "")
      }
      let (request, isJoin, json, namespace) = (body, join, client.json, namespace)
      try client.withClient { client, resolved in
        var body = request
        if isJoin { body["namespace"] = .string(namespace.resolve(resolved)) }
        let answer = try await client.call(.POST, isJoin ? "/weft/v1/join-tokens" : "/weft/v1/tokens", body: body)
        // The token alone on standard output, for scripts.
        if json { return print(answer.text) }
        print(answer["token"]?.string ?? "")
        if !isJoin {
          Terminal.printError(
            "keep it: it is not shown again. Use it with WEFT_TOKEN, or weft context add --token-file")
        }
      }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List tokens of the API.",
      discussion: """
        Example:
          weft token list
        """)

    @OptionGroup var client: ClientOptions

    func run() throws {
      let json = client.json
      try client.withClient { client, _ in
        let tokens = try await client.get("/weft/v1/tokens")["tokens"]?.array ?? []
        if json { return print(JSONValue.array(tokens).text) }
        if tokens.isEmpty {
          return Terminal.printError("no tokens: every user of the control plane's machine is an administrator")
        }
        var table = Table(columns: ["NAME", "ROLE", "CREATED", "BY", "ENDS"])
        for token in tokens {
          let end = token["expires"]?.double.map { Date(timeIntervalSince1970: min($0, 1e11)).formatted(.iso8601) }
          table.add([
            token["name"]?.string ?? "", token["role"]?.string ?? "", token["created"]?.string ?? "",
            token["createdBy"]?.string ?? "", end ?? "never",
          ])
        }
        print(table.text(isTerminal: Terminal.hasColor(1)), terminator: "")
      }
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke", abstract: "End a token of the API at once.",
      discussion: """
        Example:
          weft token revoke ci
        """)

    @Argument(help: ArgumentHelp("The token's name or id.", valueName: "name"))
    var name: String

    @OptionGroup var client: ClientOptions

    func run() throws {
      let (json, name) = (client.json, name)
      try client.withClient { client, _ in
        let answer = try await client.call(.DELETE, "/weft/v1/tokens/\(ControlClient.escape(name))")
        print(json ? answer.text : "token \(name) revoked")
      }
    }
  }
}

extension APIRole: ExpressibleByArgument {}
