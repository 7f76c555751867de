import CLuaHost
import WeftConfig
import WeftFilter
import WeftIO
import WeftLua

/// What one test has around the filter: a clock that it moves, an upstream and services that it plays, and exchanges.
final class TestWorld {
  /// What Lua is told when it asks for something that cannot be.
  struct Mistake: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  /// An exchange of the test's.
  struct Running {
    let exchange: FilterBenchExchange
    /// The upstream has been asked.
    var isAsked = false
    /// The proxy answered, because the upstream did not.
    var hasUpstreamFailed = false
  }

  /// Something that happens when its time has come.
  struct Due {
    enum Event {
      case upstream(Int, LuaValue)
      case call(Int, LuaValue)
      case callFails(Int, String)
    }
    /// Of the worker's monotonic clock.
    let time: UInt64
    let event: Event
  }

  let folder: TestFolder
  let bench = FilterBench()
  let log = CapturedLog()
  private let instruments: LuaInstruments
  private let cpuLimit: UInt64
  private let cpuStart: UInt64
  private(set) var isConfigured = false
  var running: [Int: Running] = [:]
  var due: [Due] = []
  /// Calls of services, as the test sees them.
  var calls: [LuaValue] = []
  /// The number of the last one.
  var lastCall = 0
  /// Reports of failed calls that no result has shown yet begin here in the log.
  private var failuresShown = 0

  /// Exchanges that one test may begin.
  private static let exchangeLimit = 100_000

  /// - Parameter cpu: nanoseconds of processor time that the test may use.
  init(_ folder: TestFolder, coverage: Coverage?, cpu: UInt64) {
    self.folder = folder
    var instruments = LuaInstruments()
    instruments.clock = UnsafePointer(withUnsafeMutablePointer(to: &bench.worker.clock.pointee.wall) { $0 })
    coverage?.install(in: &instruments)
    self.instruments = instruments
    cpuLimit = cpu
    cpuStart = ThreadTime.nanoseconds()
  }

  deinit {
    for (_, one) in running { one.exchange.end() }
    bench.removeFilters()
  }

  /// - Throws: when the test has used up its time.
  func checkTime() throws(Mistake) {
    if ThreadTime.nanoseconds() - cpuStart > cpuLimit {
      throw Mistake("the test has used up its processor time (\(cpuLimit / 1_000_000) ms)")
    }
  }

  // MARK: The filter

  /// Makes the filter anew, with these options of the Filter resource's `config`.
  /// - Parameter wrap: what stands in the chain for the filter.
  func configure(_ options: LuaValue, wrap: (HTTPFilter) -> HTTPFilter = { $0 }) throws {
    let bundlePath = folder.path.hasPrefix("/") ? folder.path : "./\(folder.path)"
    var fields = ["\"bundle\":\(JSONText.quote(bundlePath))"]
    let settings = options["settings"]
    if !settings.isNone { fields.append("\"settings\":\(settings.json(folder.bundle.manifest.settings))") }
    for name in ["onError", "limits", "services", "trip"] where !options[name].isNone {
      fields.append("\(JSONText.quote(name)):\(options[name].json)")
    }
    // Each request of a test is for itself.
    if options["trip"].isNone { fields.append("\"trip\":{\"failures\":0}") }
    let text = "{\(fields.joined(separator: ","))}"
    let filter: HTTPFilter
    do {
      let documents = ConfigDocuments(parsing: text, file: "config.json")
      guard let node = documents.roots.first else { throw ConfigError(documents.diagnostics) }
      let context = FilterTypeContext(
        name: folder.bundle.manifest.name, metrics: bench.metrics, logger: log.logger)
      let type = try ObjectReader.decode(node) { try LuaFilterType($0, context) }
      filter = try type.makeFilter(bench.worker, instruments)
    } catch let error as ConfigError {
      // The text is the test's own, so that lines and columns in it say nothing.
      let lines = error.diagnostics.filter { $0.severity == .error }.map { diagnostic in
        diagnostic.location.file == "config.json"
          ? (diagnostic.path == .root ? "" : "\(diagnostic.path): ") + diagnostic.message : diagnostic.description
      }
      throw Mistake(lines.joined(separator: "\n"))
    }
    bench.removeFilters()
    bench.add(wrap(filter), name: folder.bundle.manifest.name)
    isConfigured = true
  }

  // MARK: Exchanges

  /// Begins a request.
  /// - Returns: the number by which the test knows it.
  func begin(_ spec: LuaValue) throws -> Int {
    try checkTime()
    if !isConfigured { try configure(.none) }
    guard running.count < Self.exchangeLimit else { throw Mistake("more than \(Self.exchangeLimit) requests") }
    var lines = MessageText.lines(spec["headers"])
    if let host = spec["host"].text { lines.insert("host: \(host)", at: 0) }
    let client = try spec["client"].text.map(Self.address)
    let metadata = try MessageText.metadata(spec["metadata"])
    let tls = try ClientTLS.connection(spec["tls"], now: Int64(bench.worker.clock.pointee.wall / 1_000_000_000))
    let exchange = try bench.request(
      spec["method"].text ?? "GET", spec["path"].text ?? "/", lines, bytes: MessageText.pieces(spec["body"]),
      chunked: spec["chunked"].isTrue, trailers: MessageText.lines(spec["trailers"])
    ) { around in
      if let client { around.client = client }
      around.tls = tls
      if let name = spec["route"].text { around.route = name }
      if let name = spec["service"].text { around.service = name }
      if let name = spec["listener"].text { around.listener = name }
      if !metadata.isEmpty {
        around.routeMetadata = RouteMetadata([folder.bundle.manifest.name: metadata])
      }
    }
    let id = running.count + 1
    running[id] = Running(exchange: exchange)
    return id
  }

  private static func address(_ text: String) throws(Mistake) -> SocketAddress {
    if let ip = IPAddress(text) { return SocketAddress(ip, port: 40_000) }
    guard let address = SocketAddress(text) else { throw Mistake("client: \"\(text)\" is no address") }
    return address
  }

  func find(_ id: LuaValue) throws(Mistake) -> (id: Int, exchange: FilterBenchExchange) {
    guard let id = id.integer, let found = running[id] else { throw Mistake("there is no such exchange") }
    return (id, found.exchange)
  }

  /// The reports of calls that failed since this was last asked for; nil when there are none.
  func takeFailures() -> String? {
    let lines = log.lines
    let news = lines[min(failuresShown, lines.count)...].filter(\.isFailure).map(\.message)
    failuresShown = lines.count
    return news.isEmpty ? nil : news.joined(separator: "\n")
  }
}
