import HTTPTypes
import Hummingbird
import HummingbirdTLS
import NIOCore

/// What belongs to one request of the API.
struct APIContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let channel: any Channel
  /// Who asks; set by `Authentication`.
  var author = Author(name: "", role: "", address: "")
  var role: APIRole?

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
    author.address = source.channel.remoteAddress.map { $0.ipAddress ?? "unix" } ?? ""
  }

  /// - Throws: `APIProblem` unless the client's role has the permission.
  func require(_ permission: APIPermission) throws {
    guard let role else { throw APIProblem(.unauthorized, "this needs a token or a client certificate") }
    guard role.permits(permission) else {
      let roles = permission.roles.map(\.rawValue).joined(separator: " or ")
      throw APIProblem(.forbidden, "the role \(role.rawValue) may not do this; it needs \(roles)")
    }
  }
}
