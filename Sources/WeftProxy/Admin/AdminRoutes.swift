import Logging
import WeftConfig
import WeftIO
import WeftTelemetry

/// What the admin endpoint answers.
struct AdminRoutes {
  private let supervisor: Supervisor

  init(_ supervisor: Supervisor) { self.supervisor = supervisor }

  private static let index = """
    weft admin endpoint

    GET  /healthz     200 while the process runs and no worker is stuck
    GET  /readyz      200 while traffic is wanted: configured and not draining
    GET  /metrics     Prometheus metrics
    GET  /stats       the same as JSON
    GET  /config      the configuration in force, and how the last reload ended
    GET  /clusters    services and their endpoints
    GET  /filters     filters in force, and the types there are
    GET  /bundles     bundles in force: version, digest, who has signed them
    POST /drain       stop accepting, finish what is under way, exit
    POST /reload      read the configuration again
    GET  /log-level   the level; POST /log-level?level=debug sets it

    """

  func answer(_ request: AdminRequest) -> AdminResponse {
    let isRead = request.method == "GET" || request.method == "HEAD"
    // Any page that a browser on this machine shows could send it; no tool for operators does.
    if !isRead && request.isFromWebPage {
      return AdminResponse(status: 403, text: "requests of web pages change nothing here\n")
    }
    switch request.path {
    case "/drain", "/reload":
      guard request.method == "POST" else { return wrongMethod("POST") }
    case "/log-level":
      guard isRead || request.method == "POST" else { return wrongMethod("GET or POST") }
    default:
      guard isRead else { return wrongMethod("GET") }
    }
    switch request.path {
    case "/": return AdminResponse(text: Self.index)
    case "/healthz": return health()
    case "/readyz": return ready()
    case "/metrics": return metrics(request)
    case "/stats": return stats()
    case "/config": return AdminResponse(json: ConfigDump(supervisor).json)
    case "/clusters": return AdminResponse(json: ConfigDump(supervisor).clusters)
    case "/filters": return AdminResponse(json: ConfigDump(supervisor).filters)
    case "/bundles": return AdminResponse(json: ConfigDump(supervisor).bundles)
    case "/drain":
      supervisor.drain(reason: "admin endpoint")
      return AdminResponse(text: "draining\n")
    case "/reload":
      let ok = supervisor.reload(reason: "admin endpoint")
      return AdminResponse(
        status: ok ? 200 : 400,
        text: ok ? "applied\n" : supervisor.lastReload.errors.joined(separator: "\n") + "\n")
    case "/log-level": return logLevel(request)
    default:
      return AdminResponse(status: 404, text: "there is no \(request.path); see / for what there is\n")
    }
  }

  private func wrongMethod(_ method: String) -> AdminResponse {
    AdminResponse(status: 405, text: "use \(method)\n")
  }

  private func health() -> AdminResponse {
    supervisor.hasStalledWorker
      ? AdminResponse(status: 503, text: "a worker is stuck\n") : AdminResponse(text: "ok\n")
  }

  private func ready() -> AdminResponse {
    if supervisor.isDraining { return AdminResponse(status: 503, text: "draining\n") }
    return supervisor.isReady && supervisor.namesAreKnown
      ? AdminResponse(text: "ready\n") : AdminResponse(status: 503, text: "starting\n")
  }

  private func metrics(_ request: AdminRequest) -> AdminResponse {
    var body: [UInt8] = []
    let format = MetricsFormat(accept: request.accept)
    supervisor.metrics.render(into: &body, format: format)
    return AdminResponse(contentType: format.contentType, body: body)
  }

  private func stats() -> AdminResponse {
    var body: [UInt8] = []
    supervisor.metrics.snapshot().renderJSON(into: &body)
    return AdminResponse(contentType: "application/json", body: body)
  }

  private func logLevel(_ request: AdminRequest) -> AdminResponse {
    let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
    if request.method == "POST" {
      guard let level = request.parameter("level").flatMap(Logger.Level.init(rawValue:)) else {
        return AdminResponse(status: 400, text: "give ?level= one of \(levels)\n")
      }
      supervisor.processLog.level = level
      supervisor.log.notice("log level is \(level.rawValue)")
    }
    return AdminResponse(text: supervisor.processLog.level.rawValue + "\n")
  }
}
