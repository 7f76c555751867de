import Logging
import Synchronization
import Testing
import WeftBundle
import WeftConfig
import WeftFilter
import WeftIO
import WeftTelemetry

@testable import WeftLua

/// A `FilterBench` for scripts, which also keeps what they log.
final class ScriptBench {
  let bench: FilterBench
  let lines = LogLines()
  /// Whether filters that are added wait after a call that took long: the bench's time stands still.
  var pacesCalls = false
  var bundleFolders: [String] = []

  init(_ script: String = "", options: String = "", worker: Int = 0) throws {
    bench = FilterBench(worker: worker)
    if !script.isEmpty { try add(script, options: options) }
  }

  var errors: [String] { lines.at(.error) }

  /// Calls into scripts, all versions together.
  func calls() -> UInt64 {
    (bench.metrics.snapshot().family("weft_lua_calls_total")?.series ?? []).reduce(0) { sum, series in
      if case .counter(let count) = series.value { sum + count } else { sum }
    }
  }

  /// Appends a filter that runs `script`.
  /// - Parameter options: further lines of the configuration.
  @discardableResult
  func add(_ script: String, options: String = "", name: String = "script") throws -> LuaFilter {
    let indented = script.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
    return try add(config: "script: |2\n\(indented.joined(separator: "\n"))\n\(options)", name: name)
  }

  @discardableResult
  func add(config: String, file: String = "filter.yaml", name: String = "script") throws -> LuaFilter {
    var instruments = LuaInstruments()
    instruments.pacesCalls = pacesCalls
    let filter = try decode(config, file: file, name: name).makeFilter(bench.worker, instruments)
    bench.add(filter, name: name)
    return try #require(filter as? LuaFilter)
  }

  func decode(_ config: String, file: String = "filter.yaml", name: String = "script") throws -> LuaFilterType {
    let context = FilterTypeContext(
      name: name, metrics: bench.metrics, logger: lines.logger, bundles: BundleCatalog(folders: bundleFolders))
    return try ObjectReader.decode(ConfigNode(yaml: config, file: file)) { try LuaFilterType($0, context) }
  }

  @discardableResult
  func request(
    _ method: String = "GET", _ target: String = "/", _ headers: [String] = [], body: [String] = [],
    chunked: Bool = false, trailers: [String] = [], setUp: (inout FilterBenchSurroundings) -> Void = { _ in }
  ) throws -> FilterBenchExchange {
    try bench.request(method, target, headers, body: body, chunked: chunked, trailers: trailers, setUp: setUp)
  }

  /// What `expression` gives in `on_request`, as text.
  static func value(_ expression: String, _ prelude: String = "", target: String = "/", headers: [String] = []) throws
    -> String?
  {
    let bench = try ScriptBench(
      """
      \(prelude)
      function on_request(handle)
        handle:headers():replace("x-value", tostring(\(expression)))
      end
      """)
    let exchange = try bench.request("GET", target, headers)
    if let error = bench.errors.first { return error }
    return exchange.upstreamRequest?["x-value"]
  }
}

/// Log lines in memory.
final class LogLines: Sendable {
  private let kept = Mutex<[(level: Logger.Level, text: String, metadata: Logger.Metadata)]>([])

  var logger: Logger {
    var logger = Logger(label: "test") { _ in Handler(lines: self) }
    logger.logLevel = .trace
    return logger
  }

  func at(_ level: Logger.Level) -> [String] { kept.withLock { $0.filter { $0.level == level }.map(\.text) } }
  var all: [(level: Logger.Level, text: String, metadata: Logger.Metadata)] { kept.withLock { $0 } }

  private struct Handler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      lines.kept.withLock { $0.append((event.level, "\(event.message)", event.metadata ?? [:])) }
    }
  }
}
