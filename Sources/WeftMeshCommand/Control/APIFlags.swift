import ArgumentParser
import Foundation
import Logging
import WeftCommand
import WeftControl

/// How `weft control` serves its HTTP API.
struct APIFlags: ParsableArguments {
  @Option(help: ArgumentHelp("Where the HTTP API listens, or 'off'.", valueName: "address"))
  var api = "127.0.0.1:15080"

  @Option(
    help: ArgumentHelp("Certificate chain of the API (PEM); with --api-key.", valueName: "file"),
    completion: .file())
  var apiCertificate: String?

  @Option(
    help: ArgumentHelp("Key of --api-certificate (PEM).", valueName: "file"), completion: .file())
  var apiKey: String?

  @Option(
    help: ArgumentHelp(
      "What the bearer of a certificate of the mesh may do: SPIFFE-ID=viewer|publisher|editor|admin. May be repeated.",
      valueName: "role"))
  var apiClient: [String] = []

  @Option(
    help: ArgumentHelp(
      "Folder in which bundles are looked up by name when resources are checked. May be repeated.",
      valueName: "folder"),
    completion: .directory)
  var bundles: [String] = []

  func validate() throws {
    if api != "off", ListenAddress(api) == nil {
      throw ValidationError("--api takes an address such as 127.0.0.1:15080, or 'off'")
    }
    if (apiCertificate == nil) != (apiKey == nil) {
      throw ValidationError("--api-certificate and --api-key go together")
    }
    for text in apiClient where ClientRole(text) == nil {
      throw ValidationError(
        "--api-client takes SPIFFE-ID=ROLE, such as spiffe://cluster.local/ns/default/sa/ci=editor, not '\(text)'"
      )
    }
  }

  /// Serves the API of a control plane until the task is cancelled.
  /// - Parameter onReady: called once it takes requests, with its address; with `off` when there is none.
  func serve(
    _ plane: ControlPlane, log: Logger, onReady: @escaping @Sendable (String) -> Void
  ) async throws {
    let check = DataPlaneCheck(
      bundleFolders: bundles, blobs: plane.blobs, workFolder: "\(plane.options.dataFolder)/checks")
    let resources = ResourceService(plane.store, validator: check.makeValidator(), log: log)
    let rollouts = RolloutController(plane, resources: resources, log: log)
    async let driving: Void = rollouts.run()
    guard let address = ListenAddress(api) else {
      onReady(api)
      // 'off': the end of a service would be the end of all.
      await driving
      return
    }
    var options = APIOptions()
    options.host = address.host
    options.port = address.port
    options.version = WeftCommandLine.version
    options.clientRoles = apiClient.compactMap { ClientRole($0) }
    if let apiCertificate, let apiKey { options.certificate = (apiCertificate, apiKey) }
    if !options.clientRoles.isEmpty { options.clientRoots = await plane.authority.trust.pem }
    let server = APIServer(
      options, resources: resources, mesh: plane.status, joining: JoinTokens(plane.authority, plane.store),
      authority: plane.authority, registry: plane.registry, telemetry: plane.telemetry, metrics: plane.metrics,
      log: log, onReady: { onReady(address.with(port: $0).description) })
    try await server.run()
  }
}
