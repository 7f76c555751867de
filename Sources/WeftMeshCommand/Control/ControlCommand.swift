import ArgumentParser
import Foundation
import Logging
import WeftCommand
import WeftControl
import WeftIO
import WeftIdentity
import WeftStore
import WeftTelemetry

struct ControlCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control",
    abstract: "Run the control plane of a mesh.",
    discussion: """
      Keeps the mesh's resources, signs the certificates of its workloads, and tells proxies what changes. On one \
      machine it needs no flags: state lies in ~/.weft/control (/var/lib/weft for root), and it listens on the loopback \
      only. SIGTERM says goodbye to proxies, which go on with what they have, and ends.

      Examples:
        weft control
        weft control --data /srv/weft --discovery :15081 --advertise control.example.net
        weft control --store etcd=http://10.0.0.1:2379,http://10.0.0.2:2379 --ca-key-file /etc/weft/ca.key-file
      """)

  @Option(
    help: ArgumentHelp(
      "Folder for the store, the key file and bundles (default: ~/.weft/control; for root /var/lib/weft).",
      valueName: "folder"), completion: .directory)
  var data: String?

  @Option(help: ArgumentHelp("'sqlite', in the data folder, or etcd=URL,URL,...", valueName: "store"))
  var store = "sqlite"

  @Option(help: ArgumentHelp("Who signed the certificates of etcd's members (PEM).", valueName: "file"))
  var etcdCa: String?

  @Option(help: ArgumentHelp("Certificate to show etcd (PEM); with --etcd-key.", valueName: "file"))
  var etcdCert: String?

  @Option(help: ArgumentHelp("Key of --etcd-cert (PEM).", valueName: "file"))
  var etcdKey: String?

  @Option(help: ArgumentHelp("Where proxies connect.", valueName: "address"))
  var discovery = "127.0.0.1:15081"

  @Option(
    help: ArgumentHelp(
      "Name or address under which proxies reach it, for its certificate. May be repeated.", valueName: "name"))
  var advertise: [String] = []

  @Option(help: ArgumentHelp("Trust domain of the mesh.", valueName: "name"))
  var trustDomain = "cluster.local"

  @Option(help: ArgumentHelp("Life of a workload's certificate, such as 24h or 90s.", valueName: "duration"))
  var certificateLifetime = "24h"

  @Option(
    help: ArgumentHelp(
      "File with the key that protects the authority's keys (default: ca.key-file in the data folder).",
      valueName: "file"), completion: .file())
  var caKeyFile: String?

  @Option(
    help: ArgumentHelp(
      "An authority of your own: its certificate and issuers up to the root (PEM); with --ca-key.", valueName: "file"),
    completion: .file())
  var caCertificate: String?

  @Option(help: ArgumentHelp("Private key of --ca-certificate (PEM).", valueName: "file"), completion: .file())
  var caKey: String?

  @Option(help: ArgumentHelp("Name of this replica (default: the host's name).", valueName: "name"))
  var replica: String?

  @OptionGroup var api: APIFlags
  @OptionGroup var logging: LogOptions

  func validate() throws {
    if ListenAddress(discovery) == nil {
      throw ValidationError("--discovery takes an address such as 127.0.0.1:15081 or :15081")
    }
    if (caCertificate == nil) != (caKey == nil) { throw ValidationError("--ca-certificate and --ca-key go together") }
    if (etcdCert == nil) != (etcdKey == nil) { throw ValidationError("--etcd-cert and --etcd-key go together") }
    if store != "sqlite" && !store.hasPrefix("etcd=") {
      throw ValidationError("--store takes 'sqlite' or etcd=URL,URL,...")
    }
    _ = try lifetime()
  }

  private func lifetime() throws -> Double {
    guard let seconds = Self.seconds(certificateLifetime), (1...30 * 86_400).contains(seconds) else {
      throw ValidationError("--certificate-lifetime takes 1s to 30 days (720h), such as 24h, 90m or 30s")
    }
    return seconds
  }

  private static func seconds(_ text: String) -> Double? {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3_600]
    guard let last = text.last, let unit = units[last], let count = Double(text.dropLast()), count.isFinite else {
      return nil
    }
    return count * unit
  }

  func run() throws {
    // Before there are threads. 32 KiB is the buffer into which TLS reads, one a connection.
    ProcessMemory.tune(heaps: 2, mapped: 32_768)
    let writer = try LogWriter()
    let log = try logging.makeLog(writer)
    do {
      let options = try options()
      let logger = log.logger("control")
      let asText = logging.logFormat == .text
      let (api, apiLog) = (api, log.logger("api"))
      try AsyncWork.run {
        let plane = try await ControlPlane.open(options, log: logger)
        let signals = try EndSignals { plane.stop() }
        try await plane.run(with: [
          { plane in
            // Discovery listens since `open`; the whole is ready once the API does as well.
            try await api.serve(plane, log: apiLog) { address in
              ControlSummary(plane, api: address).write(to: logger, asText: asText)
            }
          }
        ])
        withExtendedLifetime(signals) {}
      }
    } catch let error as ExitCode { throw error } catch {
      Terminal.printError("weft control: \(Self.text(error))")
      throw ExitCode(1)
    }
  }

  private static func text(_ error: any Error) -> String {
    switch error {
    case let error as IdentityError: error.description
    case let error as StoreError: error.description
    case let error as APIStartError: error.description
    case let error as SignalError: error.description
    default: String(describing: error)
    }
  }

  private func options() throws -> ControlPlane.Options {
    guard let address = ListenAddress(discovery) else { throw ExitCode(2) }
    var options = ControlPlane.Options(dataFolder: data ?? Self.defaultFolder, discovery: address)
    if store.hasPrefix("etcd=") {
      let endpoints = store.dropFirst("etcd=".count).split(separator: ",").map(String.init)
      var tls = EtcdStore.TLS(authorities: etcdCa)
      if let etcdCert, let etcdKey { tls.certificate = (etcdCert, etcdKey) }
      options.storage = .etcd(endpoints: endpoints, tls: tls)
    }
    options.advertised = advertise
    options.keyFile = caKeyFile
    options.authority.trustDomain = trustDomain
    options.authority.certificateLifetime = try lifetime()
    if let caCertificate, let caKey {
      options.authority.imported = (try Self.read(caCertificate), try Self.read(caKey))
    }
    if let replica { options.replica = replica }
    options.version = WeftCommandLine.version
    return options
  }

  private static func read(_ path: String) throws -> String {
    do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
      throw IdentityError("cannot read \(path): \(error.localizedDescription)")
    }
  }

  /// Where a control plane keeps its state unless it is told otherwise.
  static var defaultFolder: String {
    if geteuid() == 0 { return "/var/lib/weft" }
    return "\(ProcessInfo.processInfo.environment["HOME"] ?? ".")/.weft/control"
  }
}
