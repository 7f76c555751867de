import Foundation
import WeftIO

/// What a proxy of the mesh is started with.
public struct MeshOptions: Sendable {
  public enum Kind: String, Sendable { case gateway, sidecar }

  public var kind: Kind
  public var namespace: String
  /// The gateway, or the service beside which a sidecar runs.
  public var name: String
  /// Tells instances of one gateway or service apart.
  public var instance: String
  /// `HOST:PORT` of the control plane's replicas; any of them does.
  public var control: [String]
  /// nil: the state folder holds an identity already.
  public var joinToken: String?
  /// Where identity and cache lie.
  public var stateFolder: String
  public var zone = ""
  public var labels: [String: String] = [:]
  /// Wanted life of certificates in seconds; 0: the control plane's own.
  public var certificateLife: UInt32 = 0
  public var version = "0.0.0"
  /// nil: a gateway.
  public var workload: WorkloadOptions?

  public init(
    kind: Kind, namespace: String, name: String, instance: String, control: [String], stateFolder: String
  ) {
    self.kind = kind
    self.namespace = namespace
    self.name = name
    self.instance = instance
    self.control = control
    self.stateFolder = stateFolder
  }

  var id: String { "\(kind.rawValue)/\(namespace)/\(name)/\(instance)" }
}

/// The workload beside a sidecar.
public struct WorkloadOptions: Sendable {
  public enum ApplicationProtocol: String, Sendable, CaseIterable { case http, http2, tcp }

  /// How it is found out whether the app is well.
  public enum Check: Sendable, Equatable {
    case off
    /// It takes connections.
    case tcp
    /// It answers a GET of this path with a status below 400.
    case http(path: String)
  }

  /// Where the app listens: `IP:PORT`.
  public var app: SocketAddress
  public var `protocol` = ApplicationProtocol.http
  public var check = Check.tcp
  /// Where others of the mesh connect to.
  public var inbound: SocketAddress
  /// The inbound listener as others see it, where that differs.
  public var advertised: SocketAddress
  /// Where the app sends its requests to other services: one address or more.
  public var outbound: [SocketAddress]
  /// Connections of the app are redirected to `outbound`, whatever they were meant for.
  public var takesRedirected = false
  /// The service's port that the workload serves; 0: the only one, or every one.
  public var servicePort: UInt32 = 0
  public var weight: UInt32 = 1

  public init(app: SocketAddress, inbound: SocketAddress, advertised: SocketAddress, outbound: [SocketAddress]) {
    self.app = app
    self.inbound = inbound
    self.advertised = advertised
    self.outbound = outbound
  }
}

/// Why a proxy cannot take part in the mesh: one sentence that says what to do.
public struct MeshError: Error, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
