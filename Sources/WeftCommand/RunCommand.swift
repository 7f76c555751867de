import ArgumentParser
import Glibc
import Logging
import WeftIO
import WeftProxy
import WeftTelemetry

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a proxy.",
    discussion: """
      Serves what the configuration says and reloads it when its files change, or on SIGHUP. A configuration with an \
      error is refused, and the last good one stays in force. SIGTERM drains: no new connections, requests under way \
      are finished, exit 0.

      Examples:
        weft run --listen :8080 --to 127.0.0.1:9001 --to 127.0.0.1:9002
        weft run --listen :8080 --to 127.0.0.1:9001 --filter filters/tenant-tag
        weft run gateway.yaml routes/ --workers 4
      """)

  @OptionGroup var configuration: ConfigurationFiles

  @Option(
    help: ArgumentHelp(
      "Address to listen on, such as :8080 or unix:/run/weft.sock; instead of files. May be repeated.",
      valueName: "address"))
  var listen: [String] = []

  @Option(
    help: ArgumentHelp("Endpoint to send requests to, such as 127.0.0.1:9001. May be repeated.", valueName: "endpoint"))
  var to: [String] = []

  @Option(
    help: ArgumentHelp(
      "Folder or archive of a Lua bundle to run on every request. May be repeated, in order.", valueName: "path"),
    completion: .file())
  var filter: [String] = []

  @Option(
    help: ArgumentHelp("Folder in which bundles are looked up by name. May be repeated.", valueName: "folder"),
    completion: .directory)
  var bundles: [String] = []

  @Option(help: "Event loops (default: one a CPU).")
  var workers: Int = 0

  @Option(help: "Address of the admin endpoint, or 'off'.")
  var admin: String = "127.0.0.1:15000"

  @Flag(help: "Do not reload when files change; SIGHUP still does.")
  var noWatch = false

  @Flag(help: "Refuse a configuration with warnings as well.")
  var strict = false

  @Flag(help: "Keep each worker on a CPU of its own.")
  var pinWorkers = false

  @Option(help: "For debugging: write the secrets of all TLS connections to a file, for Wireshark to read.")
  var tlsKeyLog: String?

  @OptionGroup var logging: LogOptions

  func validate() throws {
    let files = configuration.all
    if files.isEmpty && listen.isEmpty {
      throw ValidationError("say what to run: weft run PATH, or weft run --listen ADDRESS --to ENDPOINT")
    }
    if !files.isEmpty && !(listen.isEmpty && to.isEmpty && filter.isEmpty) {
      throw ValidationError("--listen, --to and --filter go without files of configuration, such as \(files[0])")
    }
    if files.isEmpty && to.isEmpty { throw ValidationError("--listen needs at least one --to ENDPOINT") }
    if !(0...256).contains(workers) { throw ValidationError("--workers takes 1 to 256") }
    if admin != "off" && SocketAddress(admin) == nil {
      throw ValidationError("--admin takes an address such as 127.0.0.1:15000, or 'off'")
    }
  }

  func run() throws {
    let files = configuration.all
    var options = ProxyOptions(
      source: files.isEmpty ? .commandLine(listen: listen, to: to, filters: filter) : .paths(files))
    options.workers = workers
    options.admin = admin == "off" ? nil : SocketAddress(admin)
    options.watchesFiles = !noWatch && !files.isEmpty || !noWatch && !filter.isEmpty
    options.isStrict = strict
    options.bundleFolders = bundles
    options.pinsWorkers = pinWorkers
    options.tlsKeyLog = tlsKeyLog
    options.version = WeftCommandLine.version
    let writer = try LogWriter()
    let log = try logging.makeLog(writer)
    let code = try Proxy.run(options, registry: WeftCommandLine.registry, writer: writer, log: log) { summary in
      StartSummary(summary).write(to: log.logger("weft"), asText: logging.logFormat == .text)
    }
    throw ExitCode(code)
  }
}
