import Logging
import WeftConfig
import WeftHTTP
import WeftIO
import WeftTelemetry

/// Runs a filter chain without a proxy, for unit tests of filters. Time stands still until the test moves it; what the
/// upstream answers, the test says.
///
/// ```swift
/// let bench = FilterBench()
/// try bench.add(Stamp.self, "value: hello")
/// let exchange = try bench.request("GET", "/", ["host: a.example"])
/// #expect(exchange.upstreamRequest?["x-stamp"] == "hello")
/// try exchange.respond(200, ["content-type: text/plain"], body: ["hi"])
/// #expect(exchange.response?.text == "hi")
/// ```
///
/// The chain runs as the proxy's worker runs it. A bench and its exchanges belong to one thread.
public final class FilterBench {
  public let worker: FilterBenchWorker
  public let metrics: MetricsRegistry
  /// What filters find when they look services up; empty: every name exists.
  public var services: Set<String> = []
  private var entries: [(name: String, filter: HTTPFilter)] = []
  private var built: FilterChain?
  private var nextSlot = 0
  private let families: FilterMetrics?
  let scratch: UnsafeMutablePointer<BodyScratch>

  /// - Parameters:
  ///   - index: which worker this is, of `workers` that share the traffic. Benches for several workers share `metrics`,
  ///     and are given filters of one and the same `FilterType` value.
  public init(worker index: Int = 0, of workers: Int = 1, metrics: MetricsRegistry = MetricsRegistry()) {
    self.metrics = metrics
    families = try? FilterMetrics(metrics)
    worker = FilterBenchWorker(index: index, count: workers, metrics: metrics.makeShard())
    scratch = .allocate(capacity: 1)
    scratch.initialize(to: BodyScratch())
  }

  deinit {
    scratch.deinitialize(count: 1)
    scratch.deallocate()
  }

  // MARK: The chain

  /// Decodes `yaml` as the `config` of a Filter resource, as `FilterRegistry` does.
  /// - Throws: `ConfigError` with the place of each mistake.
  public func decode<F: FilterType>(_ type: F.Type, _ yaml: String, name: String = F.name) throws -> F {
    let node = try ConfigNode(yaml: yaml)
    let context = context(name)
    return try ObjectReader.decode(node) { try F($0, context) }
  }

  /// What a filter type is given when it decodes its configuration.
  public func context(_ name: String) -> FilterTypeContext {
    let services = services
    return FilterTypeContext(name: name, metrics: metrics, logger: worker.logger) { namespace, name, port in
      let found = ServiceReference("\(namespace)/\(name)" + (port.map { ":\($0)" } ?? ""))
      return services.isEmpty || services.contains(found.name) ? found : nil
    }
  }

  /// Appends a filter to the chain, decoded from `yaml`.
  public func add<F: FilterType>(_ type: F.Type, _ yaml: String, name: String = F.name) throws {
    try add(decode(type, yaml, name: name), name: name)
  }

  /// Appends a filter to the chain.
  public func add<F: FilterType>(_ type: F, name: String = F.name) throws {
    add(try type.makeFilter(worker), name: name)
  }

  /// Appends a filter to the chain. The chain is fixed with the first request.
  public func add(_ filter: HTTPFilter, name: String = "test") {
    filter.counters = families.map { $0.counters(for: name, in: worker.metrics) }
    filter.uses += 1
    if filter.uses == 1 { filter.onStart() }
    entries.append((name, filter))
    built = nil
  }

  /// Begins the chain anew. Exchanges under way keep theirs.
  public func removeFilters() {
    for (_, filter) in entries {
      filter.uses -= 1
      if filter.uses == 0 { filter.onStop() }
    }
    entries = []
    built = nil
  }

  /// The filters that were added, in order.
  public var chain: FilterChain {
    if let built { return built }
    let made = FilterChain(entries)
    built = made
    return made
  }

  // MARK: Exchanges

  /// Sends a request into the chain, up to where the upstream would get it or a filter holds or answers it.
  /// - Parameters:
  ///   - target: in origin-form, or as HTTP allows for the method.
  ///   - headers: lines of the form `name: value`. Without a Host line, `host: example.com` is added.
  ///   - body: the pieces in which the body arrives; none: the request has no body.
  ///   - chunked: the body comes with chunked coding and not with Content-Length.
  ///   - trailers: lines of the form `name: value`; with chunked coding only.
  ///   - setUp: sets what the proxy knows of the exchange: addresses, names, the matched prefix.
  /// - Throws: `FilterBenchError` when the request is one that the proxy would refuse.
  @discardableResult
  public func request(
    _ method: String = "GET", _ target: String = "/", _ headers: [String] = [], body: [String] = [],
    chunked: Bool = false, trailers: [String] = [], version: String = "HTTP/1.1",
    setUp: (inout FilterBenchSurroundings) -> Void = { _ in }
  ) throws(FilterBenchError) -> FilterBenchExchange {
    try request(
      method, target, headers, bytes: body.map { Array($0.utf8) }, chunked: chunked, trailers: trailers,
      version: version, setUp: setUp)
  }

  /// The same with bytes that need not be text.
  @discardableResult
  public func request(
    _ method: String, _ target: String, _ headers: [String], bytes pieces: [[UInt8]], chunked: Bool = false,
    trailers: [String] = [], version: String = "HTTP/1.1", setUp: (inout FilterBenchSurroundings) -> Void = { _ in }
  ) throws(FilterBenchError) -> FilterBenchExchange {
    var surroundings = FilterBenchSurroundings()
    setUp(&surroundings)
    let lines = Self.complete(request: headers, pieces, chunked: chunked)
    let head = "\(method) \(target) \(version)\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    nextSlot += 1
    let exchange = FilterBenchExchange(bench: self, slot: nextSlot, surroundings)
    worker.live[nextSlot] = WeakExchange(exchange)
    try exchange.begin(head: head, pieces: pieces, trailers: trailers)
    worker.runResumed()
    return exchange
  }

  /// The header lines of a request with what is added to them: Host, and what frames the body.
  public static func complete(request headers: [String], _ pieces: [[UInt8]], chunked: Bool) -> [String] {
    var lines = headers
    let names = headers.map { $0.prefix { $0 != ":" }.lowercased() }
    if !names.contains("host") { lines.insert("host: example.com", at: 0) }
    if !pieces.isEmpty && !names.contains("content-length") && !names.contains("transfer-encoding") {
      let length = pieces.reduce(0) { $0 + $1.count }
      lines.append(chunked ? "transfer-encoding: chunked" : "content-length: \(length)")
    }
    return lines
  }

  /// The header lines of a response with what frames its body.
  /// - Parameter length: nil: it comes with chunked coding.
  public static func complete(response headers: [String], _ status: Int, length: Int?) -> [String] {
    let names = headers.map { $0.prefix { $0 != ":" }.lowercased() }
    let mayHaveBody = status >= 200 && status != 204 && status != 304
    if !mayHaveBody || names.contains("content-length") || names.contains("transfer-encoding") { return headers }
    return headers + [length.map { "content-length: \($0)" } ?? "transfer-encoding: chunked"]
  }

  /// Moves time, and resumes what waited for it.
  public func advance(milliseconds: UInt64) { worker.advance(nanoseconds: milliseconds &* 1_000_000) }
  /// Moves time by less than a timer can see.
  public func advance(nanoseconds: UInt64) { worker.advance(nanoseconds: nanoseconds) }

  /// The value of a counter or gauge, summed over all workers; nil when there is no such series.
  public func metric(_ name: String, _ labels: [String] = []) -> Double? { metrics.snapshot().number(name, labels) }
}

/// What the proxy knows of an exchange besides its messages.
public struct FilterBenchSurroundings {
  public var client = SocketAddress(IPAddress(v4: 0x0a00_0001), port: 40_000)
  public var local = SocketAddress(IPAddress(v4: 0x0a00_00fe), port: 8080)
  public var route = "default/route#0"
  public var service = "default/service:80"
  public var listener = "default/gateway/http"
  /// The client's TLS connection; nil: a plain one.
  public var tls: DownstreamTLS?
  /// The same with nothing to say about it.
  public var isTLS: Bool {
    get { tls != nil }
    set { tls = newValue ? DownstreamTLS(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256") : nil }
  }
  public var routeMetadata: RouteMetadata?
  /// Bytes of the path that the route's PathPrefix matched.
  public var matchedPrefixLength = 0
}

/// A message that the proxy would not have passed on to the chain.
public struct FilterBenchError: Error, CustomStringConvertible {
  public let description: String
}
