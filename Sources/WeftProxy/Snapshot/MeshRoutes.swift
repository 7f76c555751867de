import WeftConfig

/// The routes that are attached to one service rather than to a Gateway: what a proxy beside a workload does with the
/// requests that it sees for that service. Compiled, for such a proxy's listeners to take up.
final class MeshSpec: Sendable {
  let service: ResourceIdentifier
  /// nil: every port of the service that no other one is for.
  let port: Int?
  let routes: RouteTable

  init(service: ResourceIdentifier, port: Int?, routes: RouteTable) {
    self.service = service
    self.port = port
    self.routes = routes
  }
}

/// Gathers the routes of each service and port.
struct MeshRoutes {
  private struct Frontend {
    let service: ResourceIdentifier
    let port: Int?
    let origin: Origin
    var specs: [RouteMatchSpec] = []
  }

  private var frontends: [Frontend] = []

  /// Adds one match of a rule whose route, defined at `origin`, is attached to `service`.
  mutating func add(_ spec: RouteMatchSpec, to service: ResourceIdentifier, port: Int?, origin: Origin) {
    if let known = frontends.firstIndex(where: { $0.service == service && $0.port == port }) {
      frontends[known].specs.append(spec)
    } else {
      frontends.append(Frontend(service: service, port: port, origin: origin, specs: [spec]))
    }
  }

  /// Compiles the tables.
  func finish() -> ([MeshSpec], [Diagnostic]) {
    var specs: [MeshSpec] = []
    var problems: [Diagnostic] = []
    for frontend in frontends {
      do {
        let table = try RouteTable(frontend.specs)
        specs.append(MeshSpec(service: frontend.service, port: frontend.port, routes: table))
      } catch {
        problems.append(frontend.origin.error("\(error)"))
      }
    }
    return (specs, problems)
  }
}
