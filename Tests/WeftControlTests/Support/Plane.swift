import Foundation
import Logging
import Testing
import WeftIdentity
import WeftProtocol
import WeftStore

@testable import WeftControl

/// A whole control plane in this process, on a free port, with a store and a folder of its own.
final class Plane: Sendable {
  let plane: ControlPlane
  let folder: TemporaryFolder
  private let task: Task<Void, any Error>

  /// - Parameters:
  ///   - lifetime: of workload certificates, in seconds.
  ///   - folder: of an earlier one, to go on with what it left.
  init(
    lifetime: Double = 3_600, trustDomain: String = "cluster.local", folder: TemporaryFolder? = nil,
    hub: DiscoveryHub.Options = DiscoveryHub.Options(),
    workloads: WorkloadRegistrar.Options = WorkloadRegistrar.Options(),
    storage: ControlPlane.Options.Storage = .embedded, view: ReplicaView.Options = ReplicaView.Options(),
    keyFile: String? = nil, replica: String = "test",
    clock: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
  ) async throws {
    let folder = try folder ?? TemporaryFolder()
    self.folder = folder
    let address = try #require(ListenAddress("127.0.0.1:0"))
    var options = ControlPlane.Options(dataFolder: folder.path, discovery: address)
    options.authority.trustDomain = trustDomain
    options.authority.certificateLifetime = lifetime
    options.authority.clock = clock
    options.replica = replica
    options.storage = storage
    options.keyFile = keyFile
    let plane = try await ControlPlane.open(
      options, hub: hub, workloads: workloads, view: view,
      log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    self.plane = plane
    task = Task { try await plane.run() }
  }

  /// Ends it as SIGTERM does, and waits.
  func stop() async throws {
    plane.stop()
    try await task.value
  }

  /// Runs `body` with a control plane, and ends it whatever happens.
  static func with(
    lifetime: Double = 3_600, hub: DiscoveryHub.Options = DiscoveryHub.Options(),
    workloads: WorkloadRegistrar.Options = WorkloadRegistrar.Options(), _ body: (Plane) async throws -> Void
  ) async throws {
    let plane = try await Plane(lifetime: lifetime, hub: hub, workloads: workloads)
    do { try await body(plane) } catch {
      try? await plane.stop()
      throw error
    }
    try await plane.stop()
  }

  // MARK: The store

  @discardableResult
  func put(_ kind: String, _ name: String, group: String = "weft.dev", namespace: String = "default", _ spec: String)
    async throws -> Revision
  {
    let version = group.isEmpty ? "v1" : "\(group)/v1"
    let body = """
      {"apiVersion":"\(version)","kind":"\(kind)","metadata":{"name":"\(name)","namespace":"\(namespace)"},"spec":\(spec)}
      """
    return try await put(body, at: key(kind, name, group, namespace))
  }

  @discardableResult
  func put(_ body: String, at key: ResourceKey) async throws -> Revision {
    try await plane.store.commit(Transaction([.put(key.path, Array(body.utf8), lease: nil)]))
  }

  func delete(_ kind: String, _ name: String, group: String = "weft.dev", namespace: String = "default") async throws {
    try await plane.store.commit(Transaction([.delete(key(kind, name, group, namespace).path)]))
  }

  private func key(_ kind: String, _ name: String, _ group: String, _ namespace: String) -> ResourceKey {
    ResourceKey(group: group, kind: kind, namespace: namespace, name: name)
  }

  // MARK: Members

  func token(
    _ name: String = "edge", namespace: String = "default", kind: JoinToken.Kind = .gateway, use: JoinToken.Use = .once,
    lifetime: Int64 = 600
  ) async throws -> String {
    try await plane.authority.issueToken(
      namespace: namespace, name: name, kind: kind, use: use, lifetime: lifetime
    ).text
  }

  /// A new identity, gained as a proxy gains it.
  func join(_ name: String = "edge", namespace: String = "default", kind: JoinToken.Kind = .gateway) async throws
    -> Member
  {
    try await Member.join(plane.discovery.port, token: try await token(name, namespace: namespace, kind: kind))
  }

  /// A member's stream, greeted.
  func connect(_ member: Member, kind: Weft_Discovery_V1_ProxyKind = .gateway, instance: String = "1") async throws
    -> TestProxy
  {
    let proxy = try TestProxy(plane.discovery.port, member)
    try await proxy.greet(member, kind: kind, instance: instance)
    return proxy
  }
}
