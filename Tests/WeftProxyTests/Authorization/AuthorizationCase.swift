import Testing
import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

@testable import WeftProxy

/// A request, or a connection, as policies see it.
struct AuthorizationCase {
  var method = "GET"
  /// As the client sends it: it is normalised as a worker does.
  var target = "/"
  var host = "a.test"
  var fields: [String] = []
  /// A verified client's SPIFFE ID.
  var principal: String?
  var source = "192.0.2.1"
  var remote: String?
  var port: UInt16 = 8080
  var isTLS = false
  var serverName = ""
  var isConnection = false

  /// - Parameter policies: as YAML's flow style has their `spec`, each named by its place: `default/p0` and so on.
  func decide(
    _ policies: [String], annotations: String = "", _ place: Testing.SourceLocation = #_sourceLocation
  ) throws -> AuthorizationDecision {
    try ask(policies, annotations: annotations, place) { set, input in set.decide(&input) }
  }

  func isAllowed(_ policies: String..., place: Testing.SourceLocation = #_sourceLocation) throws -> Bool {
    try decide(policies, place).isAllowed
  }

  func ask<T>(
    _ policies: [String], annotations: String = "", _ place: Testing.SourceLocation = #_sourceLocation,
    _ body: (AuthorizationSet, inout AuthorizationInput) -> T
  ) throws -> T {
    let text = policies.enumerated().map { i, spec in
      """
      {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p\(i), \
      annotations: {\(annotations)}}, spec: {\(spec)}}
      """
    }
    let loaded = ConfigLoader.load(text: text.joined(separator: "\n---\n"))
    #expect(loaded.diagnostics.filter { $0.severity == .error }.map(\.description) == [], sourceLocation: place)
    let set = try AuthorizationSet(
      loaded.resources.authorizationPolicies.all.enumerated().map { (number: $0.offset, policy: $0.element) },
      isForConnections: isConnection)
    var head = MessageHead()
    let message = OwnedBytes(
      "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n")
    defer { withExtendedLifetime(message) {} }
    guard
      case .complete = HTTP1Parser.parseRequest(
        message.bytes.base, message.bytes.count, into: &head, limits: HTTPLimits())
    else {
      Issue.record("\(message.bytes.string) is no request", sourceLocation: place)
      throw Refused()
    }
    let scratch = MutableBytePointer.allocate(capacity: 4096)
    defer { scratch.deallocate() }
    var w = ByteWriter(scratch, 4096)
    switch PathNormalizer.normalise(head.path, options: .decodeUnreserved, into: &w) {
    case .refused: throw Refused()
    case .changed: _ = head.setTarget(w.bytes)
    case .unchanged: break
    }
    let identity = PeerIdentity(spiffeID: principal)
    let name = OwnedBytes(serverName)
    defer { withExtendedLifetime((identity, name)) {} }
    return withUnsafePointer(to: &head) { head in
      var input = AuthorizationInput(request: isConnection ? nil : head, scratch: scratch, 4096)
      input.principal = identity.principal.bytes
      input.namespace = identity.namespace.bytes
      input.serviceAccount = identity.account.bytes
      input.source = IPAddress(source).map { SocketAddress($0, port: 1) } ?? SocketAddress()
      input.remote = IPAddress(remote ?? source).map { SocketAddress($0, port: 1) } ?? SocketAddress()
      input.destination = SocketAddress(.loopbackV4, port: port)
      input.isTLS = isTLS
      input.serverName = name.bytes
      return body(set, &input)
    }
  }

  /// The proxy answers such a request with 400 before policies are asked.
  struct Refused: Error {}
}
