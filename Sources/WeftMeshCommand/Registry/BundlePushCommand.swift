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
    guard let bundle = checked, findings.errors == 0 else { throw ExitCode(1) }
    if !skipTests, !bundle.isArchive { try test() }
    let archive = bundle.archive
    let signatures = try Findings.orExit(json: json) {
      try BundleSignatures(path: bundle.signaturePath)
    }
    let (tags, isUsed, namespace) = (tag, use, namespace)
    let digest = bundle.digest.description
    let name = bundle.manifest.name
    let signed = signatures.flatMap { $0.digest == bundle.digest ? $0 : nil }
    try client.withClient { client, resolved in
      let answer = try await client.upload(
        .POST, "/weft/v1/bundles", tags.isEmpty ? [] : [("tags", tags.joined(separator: ","))],
        archive,
        type: "application/octet-stream")
      if let signed {
        _ = try await client.upload(
          .PUT, "/weft/v1/blobs/\(digest)/signatures", [], Array(signed.text.utf8),
          type: "application/yaml")
      }
      if isUsed {
        let place = namespace.resolve(resolved)
        let resource: JSONValue = [
          "apiVersion": "weft.dev/v1", "kind": "FilterBundle",
          "metadata": ["name": .string(name), "namespace": .string(place)],
          "spec": ["digest": .string(digest)],
        ]
        _ = try await client.call(.POST, "/weft/v1/apply", body: ["resources": [resource]])
      }
      if json { return print(answer.text) }
      var table = Table(columns: ["", ""])
      table.add(["pushed", "\(name) \(answer["version"]?.string ?? "")"])
      table.add(["digest", digest])
      if !tags.isEmpty { table.add(["tags", tags.joined(separator: ", ")]) }
      table.add(["signatures", "\(signed?.signatures.count ?? 0)"])
      if isUsed { table.add(["in use by", "FilterBundle \(namespace.resolve(resolved))/\(name)"]) }
      print(table.body, terminator: "")
    }
  }

  private func test() throws {
    let console = ConsoleReport(usesColor: Terminal.hasColor(2), isVerbose: false)
    let runner = TestRunner(TestOptions())
    var text = ""
    runner.onFile = { text += console.text($0) }
    let report = runner.run([path])
    if report.isSuccess { return }
    Terminal.write(text + console.summary(report), to: 2)
    Terminal.printError("nothing was pushed: tests of the bundle fail")
    throw ExitCode(1)
  }
}
