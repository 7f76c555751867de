import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import WeftConfig
import WeftStore

/// How the API is served.
public struct APIOptions: Sendable {
  /// An IP address, or `localhost`.
  public var host = "127.0.0.1"
  /// 0: any free one.
  public var port = 15080
  /// PEM files of a certificate chain and its key; nil: no TLS.
  public var certificate: (chain: String, key: String)?
  /// PEM: the roots by which certificates of clients are verified.
  public var clientRoots: String?
  /// What bearers of client certificates may do.
  public var clientRoles: [ClientRole] = []
  public var version = "0.0.0"

  public init() {}

  var isLoopback: Bool { Authentication.isLoopback(host: host.contains(":") ? "[\(host)]" : host) }
}

/// Serves the API until it is told to stop; then watches end, requests under way are finished.
public struct APIServer: Service {
  private let options: APIOptions
  private let tokens: APITokens
  private let log: Logger
  private let onReady: @Sendable (Int) async -> Void
  private let counts = APIMetrics()
  private let routes: ResourceRoutes
  /// What the API can do, for its description and its tests.
  let endpoints: [APIEndpoint]

  /// - Parameters:
  ///   - joining: makes tokens for proxies; nil: there is no authority.
  ///   - authority: signs certificates; nil: there is none.
  ///   - registry: where bundles are pushed; nil: nowhere.
  ///   - telemetry: what proxies report; nil: nothing.
  ///   - metrics: what `/metrics` shows besides.
  ///   - onReady: called with the port once requests are taken.
  public init(
    _ options: APIOptions, resources: ResourceService, mesh: any MeshStatus, joining: (any JoinTokenIssuer)? = nil,
    authority: Authority? = nil, registry: BundleRegistry? = nil, telemetry: TelemetryAggregator? = nil,
    metrics: [any MetricsSource] = [], log: Logger,
    onReady: @escaping @Sendable (Int) async -> Void = { _ in }
  ) {
    self.options = options
    self.log = log
    self.onReady = onReady
    tokens = APITokens(resources.store)
    let watches = WatchRoute(resources.store)
    let counts = counts
    var endpoints = BulkRoutes(resources: resources).endpoints
    endpoints +=
      MeshRoutes(
        mesh: mesh, store: resources.store, resources: resources, watches: watches, telemetry: telemetry,
        version: options.version
      ).endpoints
    endpoints += TokenRoutes(tokens: tokens, joining: joining).endpoints
    if let authority { endpoints += AuthorityRoutes(authority: authority).endpoints }
    if let registry {
      endpoints += BundleRoutes(registry: registry).endpoints
      let rollouts = Rollouts(resources: resources, registry: registry, mesh: mesh)
      endpoints += RolloutRoutes(rollouts: rollouts).endpoints
    }
    // The document describes these as well, so it is made with them in a first round.
    func control(_ document: JSONValue) -> [APIEndpoint] {
      ControlRoutes(
        store: resources.store, mesh: mesh, watches: watches, metrics: counts, sources: metrics, document: document
      ).endpoints
    }
    let document = OpenAPIDocument(endpoints: endpoints + control(.null), version: options.version).json
    endpoints += control(document)
    self.endpoints = endpoints
    routes = ResourceRoutes(resources: resources, watches: watches)
  }

  private var router: Router<APIContext> {
    let router = Router(context: APIContext.self)
    router.add(middleware: CountRequests(metrics: counts))
    router.add(middleware: NotFound())
    router.add(
      middleware: Authentication(tokens: tokens, clientRoles: options.clientRoles, isLoopback: options.isLoopback))
    for endpoint in endpoints { endpoint.register(on: router) }
    routes.register(on: router)
    return router
  }

  /// Refuses to be reached from elsewhere without TLS and without credentials.
  /// - Throws: `APIStartError`
  public func check() async throws {
    if !options.clientRoles.isEmpty, options.certificate == nil || options.clientRoots == nil {
      throw APIStartError("roles of client certificates need TLS: give the API a certificate and a key")
    }
    guard !options.isLoopback else { return }
    guard options.certificate != nil else {
      throw APIStartError(
        "the API listens beyond this machine (\(options.host)) only with TLS: give it a certificate and a key, or listen on 127.0.0.1"
      )
    }
    if options.clientRoles.isEmpty, try await !tokens.exist() {
      throw APIStartError(
        "the API listens beyond this machine (\(options.host)) only with credentials: make a token first, with the API on 127.0.0.1 (weft token create NAME --role admin), or give client certificates a role"
      )
    }
  }

  public func run() async throws {
    try await check()
    let ready = onReady
    let application = Application(
      router: router, server: try server(),
      configuration: ApplicationConfiguration(
        address: .hostname(options.host, port: options.port), serverName: nil, backlog: 256),
      onServerRunning: { channel in await ready(channel.localAddress?.port ?? 0) }, logger: log)
    // A cancelled server would cut off requests under way: it is told to end instead, and given some seconds.
    var configuration = ServiceGroupConfiguration(services: [application], logger: log)
    configuration.maximumGracefulShutdownDuration = .seconds(5)
    let group = ServiceGroup(configuration: configuration)
    let serving = Task { try await group.run() }
    do {
      try await withTaskCancellationHandler {
        try await serving.value
      } onCancel: {
        Task { await group.triggerGracefulShutdown() }
      }
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw APIStartError(
        "cannot listen on \(options.host):\(options.port) for the API (--api): another process listens there; stop it, or choose another port"
      )
    }
  }

  private func server() throws -> HTTPServerBuilder {
    // Connections that are idle go; a watch writes more often than that.
    let http = HTTPServerBuilder.http1(configuration: .init(idleTimeout: .seconds(120)))
    guard let files = options.certificate else { return http }
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    do {
      chain = try NIOSSLCertificate.fromPEMFile(files.chain)
    } catch {
      throw APIStartError("the API's certificate \(files.chain) cannot be read: \(error)")
    }
    do {
      key = try NIOSSLPrivateKey(file: files.key, format: .pem)
    } catch {
      throw APIStartError("the API's key \(files.key) cannot be read: \(error)")
    }
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    tls.minimumTLSVersion = .tlsv12
    tls.applicationProtocols = ["http/1.1"]
    if let roots = options.clientRoots, !options.clientRoles.isEmpty {
      do {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(roots.utf8)))
      } catch {
        throw APIStartError("the roots of client certificates cannot be read: \(error)")
      }
      tls.certificateVerification = .optionalVerification
    }
    return try .tls(http, tlsConfiguration: tls)
  }
}

/// Why the API cannot be served.
public struct APIStartError: Error, Sendable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// What no route takes gets a problem like everything else.
private struct NotFound: RouterMiddleware {
  typealias Context = APIContext

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch let error as any HTTPResponseError where error.status == .notFound {
      return APIProblem(.notFound, "nothing is at \(request.method.rawValue) \(request.uri.path.prefix(200))").response
    }
  }
}
