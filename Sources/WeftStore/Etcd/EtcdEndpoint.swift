import Foundation
import GRPCNIOTransportHTTP2

/// Where a member of an etcd cluster listens for clients: `http://HOST:PORT`, `https://HOST:PORT`, or `HOST:PORT`
/// (without TLS).
struct EtcdEndpoint: Sendable, CustomStringConvertible {
  let host: String
  let port: Int
  let isSecure: Bool

  /// - Throws: `StoreError.invalid`.
  init(_ text: String) throws(StoreError) {
    let address = text.contains("://") ? text : "http://\(text)"
    guard let parts = URLComponents(string: address), let scheme = parts.scheme, ["http", "https"].contains(scheme),
      let host = parts.host, !host.isEmpty, parts.path.isEmpty || parts.path == "/", parts.query == nil
    else {
      throw .invalid("etcd endpoint \"\(text)\": write it as http://HOST:PORT or https://HOST:PORT")
    }
    self.host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    port = parts.port ?? 2_379
    isSecure = scheme == "https"
  }

  /// An address is not looked up, nor sent as a server name, which TLS does not allow.
  var target: any ResolvableTarget {
    var bytes = in6_addr()
    if inet_pton(AF_INET, host, &bytes) == 1 { return .ipv4(address: host, port: port) }
    if inet_pton(AF_INET6, host, &bytes) == 1 { return .ipv6(address: host, port: port) }
    return .dns(host: host, port: port)
  }

  var description: String {
    "\(isSecure ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }
}
