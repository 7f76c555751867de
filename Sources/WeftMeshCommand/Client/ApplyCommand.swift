import ArgumentParser
import WeftCommand
import WeftConfig
import WeftControl
import WeftStore

struct ApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Store resources at the control plane, which hands them to the proxies.",
    discussion: """
      Creates what is not there and replaces what is. Everything is checked together first, as weft check does: when \
      one resource is wrong, nothing is stored, and every mistake is said with file, line and path.

      Examples:
        weft apply -f config/
        weft apply -f route.yaml --dry-run
        cat route.yaml | weft apply -f -
      """)

  @OptionGroup var manifests: ManifestOptions

  @Flag(help: "Check everything and store nothing.")
  var dryRun = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func validate() throws {
    if manifests.files.isEmpty { throw ValidationError("say what to apply: -f PATH") }
  }

  func run() throws {
    let (files, isDryRun, json, namespace) = (manifests.files, dryRun, client.json, namespace)
    try client.withClient { client, resolved in
      let manifests = try Self.read(files, namespace.resolve(resolved), json: json)
      let answer = try await Self.send(
        manifests, "/weft/v1/apply", isDryRun ? [("dryRun", "All")] : [], client, json: json)
      if json { return print(answer.text) }
      for result in answer["results"]?.array ?? [] {
        print("\(ResourceNames.of(result)) \(result["outcome"]?.string ?? "")\(isDryRun ? " (dry run)" : "")")
      }
    }
  }

  /// The resources of files, unless the files themselves are wrong.
  static func read(_ files: [String], _ namespace: String, json: Bool) throws -> Manifests {
    let manifests = try Manifests(files, namespace: namespace)
    if manifests.items.isEmpty, !manifests.hasErrors {
      Findings(manifests.diagnostics).print(json: json, to: 2)
      throw ClientError("there are no resources in \(files.joined(separator: ", "))")
    }
    return manifests
  }

  /// Sends the resources; what the control plane says of them is said with their places.
  static func send(
    _ manifests: Manifests, _ path: String, _ query: [(String, String)], _ client: ControlClient, json: Bool
  ) async throws -> JSONValue {
    func refuse(_ diagnostics: [Diagnostic], _ reason: String?) -> any Error {
      let findings = Findings(Manifests.sorted(diagnostics))
      findings.print(json: json, to: 2)
      if !json { Terminal.printError(reason ?? "\(findings.counts); nothing was changed") }
      return ExitCode(1)
    }
    var answer: JSONValue = .null
    do {
      // Sent with what is wrong with the files already known, so that one run says every mistake.
      if !manifests.items.isEmpty {
        answer = try await client.call(
          .POST, path, manifests.hasErrors ? query.filter { $0.0 != "dryRun" } + [("dryRun", "All")] : query,
          body: ["resources": .array(manifests.items.map(\.value))])
      }
    } catch let problem as ProblemAnswer where !problem.findings.isEmpty {
      throw refuse(
        manifests.diagnostics + manifests.diagnostics(problem.findings), problem.status == 422 ? nil : problem.detail)
    }
    if manifests.hasErrors { throw refuse(manifests.diagnostics, nil) }
    let warnings = answer["warnings"]?.array?.compactMap { ResourceFinding($0) } ?? []
    if !json {
      Findings(Manifests.sorted(manifests.diagnostics + manifests.diagnostics(warnings))).print(json: false, to: 2)
    }
    return answer
  }
}

/// How commands name resources.
enum ResourceNames {
  /// `httproute.gateway.networking.k8s.io/shop`, as kubectl does, with the namespace where it is not the default.
  static func of(_ value: JSONValue) -> String {
    let group = value["group"]?.string ?? ""
    let namespace = value["namespace"]?.string ?? ""
    let kind = (value["kind"]?.string ?? "").lowercased() + (group.isEmpty ? "" : ".\(group)")
    let name = "\(kind)/\(value["name"]?.string ?? "")"
    return namespace.isEmpty || namespace == "default" ? name : "\(name) -n \(namespace)"
  }
}
