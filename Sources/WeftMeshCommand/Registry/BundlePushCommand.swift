import ArgumentParser
import WeftBundle
import WeftCommand
import WeftConfig
import WeftFilterTest

struct BundlePushCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Store a bundle at the control plane, for proxies to fetch.",
    discussion: """
      Checks the bundle and runs its own tests first, and pushes nothing when one fails. Signatures go along. A version \
      that was pushed before with other content is refused. With --use, the FilterBundle of that name is pointed at it, \
      and the proxies run it.

      Examples:
        weft bundle push filters/tenant-tag --tag stable
        weft bundle push greeting.weft --use
      """)

  @Argument(
    help: ArgumentHelp("The bundle's folder or archive.", valueName: "path"), completion: .file())
  var path: String

  @Option(help: ArgumentHelp("Also give it this tag. May be repeated.", valueName: "tag"))
  var tag: [String] = []

  @Flag(help: "Point the FilterBundle of the bundle's name at it.")
  var use = false

  @Flag(help: "Do not run the bundle's tests.")
  var skipTests = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func run() throws {
    let json = client.json
    let (checked, findings) = BundleCommand.check(path)
    findings.print(json: json, to: 2)
    guard let bundle = checked, findings.errors == 0 else {
      Terminal.printError("nothing was pushed: correct \(path) first (weft bundle check says the same)")
      throw ExitCode(1)
    }
    if !skipTests { try BundleSelfTest(bundle: bundle, path: path).run() }
    let signatures = try Findings.orExit(json: json) {
      try BundleSignatures(path: bundle.signaturePath)
    }
    let signed = signatures.flatMap { $0.digest == bundle.digest ? $0 : nil }
    if let signatures, signed == nil {
      Terminal.printError(
        "\(bundle.signaturePath) is left out: it is about \(signatures.digest), and the bundle has changed since; sign it again with weft bundle sign \(path) --key FILE, and push it again"
      )
    }
    let push = Push(bundle: bundle, signatures: signed, tags: tag, isUsed: use)
    let namespace = namespace
    try client.withClient { client, resolved in
      let answer = try await push.run(client, namespace: namespace.resolve(resolved))
      print(json ? answer.text + "\n" : push.text(answer, namespace: namespace.resolve(resolved)), terminator: "")
    }
  }
}

/// What goes to the control plane.
private struct Push: Sendable {
  let bundle: Bundle
  let signatures: BundleSignatures?
  let tags: [String]
  let isUsed: Bool

  private var name: String { bundle.manifest.name }
  private var digest: String { bundle.digest.description }

  func run(_ client: ControlClient, namespace: String) async throws -> JSONValue {
    if isUsed { try await checkRollout(client, namespace) }
    let answer = try await client.upload(
      .POST, "/weft/v1/bundles", tags.isEmpty ? [] : [("tags", tags.joined(separator: ","))], bundle.archive,
      type: "application/octet-stream")
    if let signatures {
      _ = try await client.upload(
        .PUT, "/weft/v1/blobs/\(digest)/signatures", [], Array(signatures.text.utf8), type: "application/yaml")
    }
    if isUsed { try await apply(client, namespace) }
    return answer
  }

  /// A rollout is not ended by the way.
  private func checkRollout(_ client: ControlClient, _ namespace: String) async throws {
    let path = "/apis/weft.dev/v1/namespaces/\(ControlClient.escape(namespace))/filterbundles/\(name)"
    let present: JSONValue
    do { present = try await client.get(path) } catch let problem as ProblemAnswer where problem.status == 404 {
      return
    }
    guard let candidate = present["spec"]?["rollout"]?["candidate"]?.string else { return }
    throw ClientError(
      "nothing was pushed: FilterBundle \(namespace)/\(name) is in a rollout to \(candidate); promote it to its end (weft bundle promote \(name) --to-end) or take it back (weft bundle abort \(name)) first, or push without --use"
    )
  }

  private func apply(_ client: ControlClient, _ namespace: String) async throws {
    let resource: JSONValue = [
      "apiVersion": "weft.dev/v1", "kind": "FilterBundle",
      "metadata": ["name": .string(name), "namespace": .string(namespace)],
      "spec": ["digest": .string(digest)],
    ]
    do { _ = try await client.call(.POST, "/weft/v1/apply", body: ["resources": [resource]]) } catch let problem
      as ProblemAnswer
    {
      throw ClientError(
        "\(name) \(bundle.manifest.version) was pushed, but FilterBundle \(namespace)/\(name) does not use it: \(problem)"
      )
    }
  }

  /// For people.
  func text(_ answer: JSONValue, namespace: String) -> String {
    var table = Table(columns: ["", ""])
    table.add(["pushed", "\(name) \(answer["version"]?.string ?? "")"])
    table.add(["digest", digest])
    if !tags.isEmpty { table.add(["tags", tags.joined(separator: ", ")]) }
    table.add(["signatures", "\(signatures?.signatures.count ?? 0)"])
    if isUsed { table.add(["in use by", "FilterBundle \(namespace)/\(name)"]) }
    return table.body
  }
}
