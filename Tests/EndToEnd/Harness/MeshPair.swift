import Testing

/// What most tests of the mesh need: a control plane, and the services `reviews` and `ratings` with an app and a sidecar
/// each; `stop()` ends all of it.
final class MeshPair: Sendable {
  let mesh: MeshScene
  let apps: (reviews: Backend, ratings: Backend)
  let reviews: MeshScene.Sidecar
  let ratings: MeshScene.Sidecar

  /// - Parameters:
  ///   - resources: further ones, applied before anybody starts.
  ///   - isAwaited: until reviews reaches ratings.
  init(_ mesh: MeshScene, resources: [String] = [], isAwaited: Bool = true) throws {
    self.mesh = mesh
    apps = (try Backend("reviews"), try Backend("ratings"))
    try mesh.apply(
      ([MeshScene.service("reviews"), MeshScene.service("ratings")] + resources).joined(separator: "\n---\n"))
    reviews = try mesh.sidecar("reviews", app: apps.reviews.port)
    ratings = try mesh.sidecar("ratings", app: apps.ratings.port)
    if isAwaited { try eventually("reviews to reach ratings") { try reviews.get("ratings").status == 200 } }
  }

  func stop() {
    for sidecar in [reviews, ratings] { sidecar.process.stop() }
    for app in [apps.reviews, apps.ratings] { app.stop() }
  }
}

/// A gateway of the mesh in front of an app that is none of it.
final class MeshFront: Sendable {
  let app: Backend
  let edge: WeftProcess
  private let port: ReservedPort

  /// - Parameters:
  ///   - filters: entries of the route's filter chain.
  ///   - resources: further ones, applied before the gateway starts.
  init(_ mesh: MeshScene, filters: [String] = [], resources: [String] = []) throws {
    app = try Backend("app")
    port = try ReservedPort()
    let chain = filters.isEmpty ? "" : "filters: [\(filters.joined(separator: ", "))], "
    try mesh.apply(
      ([
        Resources.gateway(port.number, name: "edge"), Resources.service("app", [app.endpoint]),
        Resources.route("front", "rules: [{\(chain)backendRefs: [\(Resources.backendRef("app"))]}]", gateway: "edge"),
      ] + resources).joined(separator: "\n---\n"))
    edge = try mesh.gateway("edge")
  }

  func ask(_ path: String = "/", _ fields: String...) throws -> HTTPMessage {
    try RawClient.get(path, host: "shop", at: port.number, fields)
  }

  func stop() {
    edge.stop()
    app.stop()
  }
}
