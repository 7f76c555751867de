import ArgumentParser
import Foundation
import Glibc
import WeftCommand
import WeftIO
import WeftMesh
import WeftProxy
import WeftTelemetry

/// What a gateway and a sidecar are started with alike.
struct MeshFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Address of the control plane, HOST:PORT. May be repeated for several replicas.", valueName: "address"))
  var control: [String] = ["127.0.0.1:15081"]

  @Option(name: [.short, .long], help: "Namespace of the mesh.")
  var namespace = "default"

  @Option(
    help: ArgumentHelp(
      "Join token, for the first start (or WEFT_JOIN_TOKEN; better than here, where others see it).",
      valueName: "token"))
  var token: String?

  @Option(help: ArgumentHelp("File with the join token.", valueName: "path"), completion: .file())
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "Folder for identity and cache (default: ~/.weft/NAME, or /var/lib/weft/NAME for root).", valueName: "folder"),
    completion: .directory)
  var state: String?

  @Option(help: "Tells instances of one gateway or service apart (default: the host's name and the address).")
  var instance: String?

  @Option(help: "Where the machine stands.")
  var zone = ""

  @Option(help: ArgumentHelp("Label of the workload, KEY=VALUE. May be repeated.", valueName: "label"))
  var label: [String] = []

  @Option(help: ArgumentHelp("Wanted life of certificates, in seconds.", valueName: "seconds"))
  var certificateLife: UInt32 = 0

  @Option(help: "Event loops (default: one a CPU).")
  var workers = 0

  @Option(help: "Address of the admin endpoint, or 'off'.")
  var admin = "127.0.0.1:15000"

  @OptionGroup var logging: LogOptions

  func validate() throws {
    if token != nil && tokenFile != nil { throw ValidationError("--token and --token-file do not go together") }
    if !(0...256).contains(workers) { throw ValidationError("--workers takes 1 to 256") }
    if admin != "off" && SocketAddress(admin) == nil {
      throw ValidationError("--admin takes an address such as 127.0.0.1:15000, or 'off'")
    }
    for text in label where !text.contains("=") || text.hasPrefix("=") {
      throw ValidationError("--label takes KEY=VALUE, not '\(text)'")
    }
    for address in control where !address.contains(":") {
      throw ValidationError("--control takes HOST:PORT, such as 127.0.0.1:15081, not '\(address)'")
    }
  }

  /// The token that is given in one of the three ways.
  private func joinToken() throws -> String? {
    if let token { return token }
    if let tokenFile {
      guard let text = FileManager.default.contents(atPath: tokenFile) else {
        throw MeshError("the file \(tokenFile) with the join token cannot be read")
      }
      let token = String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      if token.isEmpty {
        throw MeshError("the file \(tokenFile) is empty; make a join token with \"weft token create --join\"")
      }
      return token
    }
    return ProcessInfo.processInfo.environment["WEFT_JOIN_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
  }

  static func defaultState(_ name: String) -> String {
    geteuid() == 0 ? "/var/lib/weft/\(name)" : "\(NSHomeDirectory())/.weft/\(name)"
  }

  /// - Parameters:
  ///   - place: what tells instances on one host apart, such as a port.
  func options(_ kind: MeshOptions.Kind, name: String, place: String) throws -> MeshOptions {
    let instance = instance ?? "\(ProcessInfo.processInfo.hostName)-\(place)"
    var options = MeshOptions(
      kind: kind, namespace: namespace, name: name,
      instance: String(instance.filter { $0 != "/" && $0.isASCII && !$0.isWhitespace }.prefix(128)), control: control,
      stateFolder: state ?? Self.defaultState(name))
    options.joinToken = try joinToken()
    options.zone = zone
    options.certificateLife = certificateLife
    options.version = WeftCommandLine.version
    for text in label {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      options.labels[parts[0]] = parts[1]
    }
    return options
  }

  /// Runs the proxy with its agent until a signal ends it.
  func run(_ options: MeshOptions) throws -> ExitCode {
    // Before the agent's threads, and any other, start.
    try Proxy.reserveSignals()
    let writer = try LogWriter()
    let log = try logging.makeLog(writer)
    let logger = log.logger("weft")
    let agent: MeshAgent
    do { agent = try MeshAgent(options, log: logger) } catch {
      logger.critical("\(error)")
      writer.flush(timeout: 1_000_000_000)
      return ExitCode(1)
    }
    var proxy = ProxyOptions(source: .feed(agent.feed))
    proxy.workers = workers
    proxy.admin = admin == "off" ? nil : SocketAddress(admin)
    proxy.watchesFiles = false
    proxy.version = WeftCommandLine.version
    agent.start()
    defer { agent.stop() }
    let isText = logging.logFormat == .text
    let code = try Proxy.run(proxy, registry: WeftCommandLine.registry, writer: writer, log: log) { summary in
      StartSummary(summary).write(to: logger, asText: isText)
    }
    return ExitCode(code)
  }
}
