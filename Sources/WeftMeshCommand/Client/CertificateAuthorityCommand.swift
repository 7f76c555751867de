import ArgumentParser
import WeftCommand
import WeftConfig

struct CertificateAuthorityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ca",
    abstract: "The mesh's certificate authority: its roots, their rotation, and who is revoked.",
    discussion: """
      Needs the role admin.

      Examples:
        weft ca status
        weft ca roots > roots.pem
        weft ca rotate
        weft ca revoke default/reviews --reason "the machine was stolen"
      """,
    subcommands: [Status.self, Roots.self, Rotate.self, Revoke.self])

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "status", abstract: "Show the roots, when they take turns, and who is revoked.",
      discussion: """
        Example:
          weft ca status
        """)

    @OptionGroup var client: ClientOptions

    func run() throws {
      let json = client.json
      try client.withClient { client, _ in
        let status = try await client.get("/weft/v1/authority")
        print(json ? status.text : CertificateAuthorityCommand.text(status), terminator: json ? "\n" : "")
      }
    }
  }

  struct Roots: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "roots", abstract: "Print the roots that the mesh trusts, as PEM.",
      discussion: """
        Example:
          weft ca roots > roots.pem && curl --cacert roots.pem https://...
        """)

    @OptionGroup var client: ClientOptions

    func run() throws {
      try client.withClient { client, _ in
        print(try await client.get("/weft/v1/authority")["rootsPEM"]?.string ?? "", terminator: "")
      }
    }
  }

  struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rotate", abstract: "Begin with a new root, without cutting anybody off.",
      discussion: """
        The new root is trusted at once, and signs after one life of a certificate, when everybody who renewed has \
        learnt of it. The old one is trusted for one more.

        Example:
          weft ca rotate
        """)

    @Flag(help: "Also while an earlier rotation is under way.")
    var force = false

    @OptionGroup var client: ClientOptions

    func run() throws {
      let (json, force) = (client.json, force)
      try client.withClient { client, _ in
        let answer = try await client.call(
          .POST, "/weft/v1/authority/rotate", force ? [("force", "1")] : [], body: .object([:]))
        print(json ? answer.text : CertificateAuthorityCommand.text(answer), terminator: json ? "\n" : "")
      }
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "revoke", abstract: "Refuse everything that was issued to a workload until now.",
      discussion: """
        Its streams end, it gets no new certificate, and its join tokens are of no use. A join token that is made later \
        lets it in again.

        Example:
          weft ca revoke default/reviews --reason "the machine was stolen"
        """)

    @Argument(help: ArgumentHelp("NAMESPACE/NAME of the service or gateway.", valueName: "workload"))
    var workload: String

    @Option(help: "Why, for the audit log.")
    var reason = ""

    @OptionGroup var client: ClientOptions

    func validate() throws {
      let parts = workload.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
        throw ValidationError("a workload is NAMESPACE/NAME, such as default/reviews, not '\(workload)'")
      }
    }

    func run() throws {
      let (json, reason) = (client.json, reason)
      let parts = workload.split(separator: "/").map(String.init)
      try client.withClient { client, _ in
        let answer = try await client.call(
          .POST, "/weft/v1/authority/revocations",
          body: ["namespace": .string(parts[0]), "name": .string(parts[1]), "reason": .string(reason)])
        print(json ? answer.text : "\(parts[0])/\(parts[1]) revoked; a new join token lets it in again")
      }
    }
  }

  fileprivate static func text(_ status: JSONValue) -> String {
    var summary = Table(columns: ["", ""])
    summary.add(["trust domain", status["trustDomain"]?.string ?? ""])
    summary.add(["certificates live", "\(status["certificateLifetimeSeconds"]?.int ?? 0) s"])
    var roots = Table(columns: ["ROOT", "STATE", "SIGNS FROM", "TRUSTED UNTIL", "ENDS"])
    for root in status["roots"]?.array ?? [] {
      roots.add([
        String((root["fingerprint"]?.string ?? "").prefix(16)), root["state"]?.string ?? "",
        root["signsFrom"]?.string ?? "", root["trustedUntil"]?.string ?? "", root["notAfter"]?.string ?? "",
      ])
    }
    var text = summary.body + "\n" + roots.text(isTerminal: Terminal.hasColor(1))
    let revoked = status["revoked"]?.array ?? []
    if revoked.isEmpty { return text }
    var table = Table(columns: ["REVOKED", "SINCE", "BY", "REASON"])
    for entry in revoked {
      table.add([
        "\(entry["namespace"]?.string ?? "")/\(entry["name"]?.string ?? "")", entry["since"]?.string ?? "",
        entry["by"]?.string ?? "", entry["reason"]?.string ?? "",
      ])
    }
    text += "\n" + table.text(isTerminal: Terminal.hasColor(1))
    return text
  }
}
