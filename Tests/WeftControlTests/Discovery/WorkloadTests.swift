import Foundation
import Logging
import Testing
import WeftConfig
import WeftIdentity
import WeftProtocol
import WeftStore

@testable import WeftControl

@Suite struct WorkloadTests {
  private func sidecar(_ plane: Plane) async throws -> (Member, TestProxy) {
    let member = try await plane.join("reviews", kind: .sidecar)
    return (member, try await plane.connect(member, kind: .sidecar, instance: "host-1"))
  }

  private func report(_ proxy: TestProxy, _ set: (inout Weft_Discovery_V1_WorkloadReport) -> Void = { _ in }) {
    proxy.send { message in
      message.workload.isServing = true
      message.workload.address = "10.0.0.5:15006"
      message.workload.health = .healthy
      message.workload.isMutualTls = true
      set(&message.workload)
    }
  }

  private let key = ResourceKey(group: "weft.dev", kind: "Workload", namespace: "default", name: "reviews-host-1").path

  private func stored(_ plane: Plane) async throws -> ConfigNode? {
    guard let value = try await plane.plane.store.get(key, at: nil)?.value else { return nil }
    return ConfigDocuments(parsing: value, file: "w.json").roots.first
  }

  @Test func registersUpdatesAndWithdraws() async throws {
    try await Plane.with { plane in
      let (member, proxy) = try await sidecar(plane)
      let watcher = try await plane.connect(try await plane.join())
      watcher.subscribe("weft.dev/v1/Workload", "@WeftService/default/reviews")
      #expect(try await watcher.delta().resources.isEmpty)
      report(proxy) {
        $0.labels = ["version": "v2"]
        $0.zone = "b"
      }
      #expect(try await watcher.delta().resources.map(\.name) == ["default/reviews-host-1"])
      let spec = try await stored(plane)?["spec"]
      #expect(spec?["service"]?.stringValue == "reviews" && spec?["address"]?.stringValue == "10.0.0.5:15006")
      #expect(spec?["identity"]?.stringValue == member.id.description && spec?["mutualTLS"]?.boolValue == true)
      #expect(spec?["labels"]?["version"]?.stringValue == "v2" && spec?["weight"]?.intValue == 1)
      report(proxy) {
        $0.health = .unhealthy
        $0.healthDetail = "503 from /healthz"
      }
      let changed = try await watcher.delta()
      let body = String(decoding: try #require(changed.resources.first).body, as: UTF8.self)
      #expect(body.contains("503 from /healthz"))
      proxy.send { $0.workload.isServing = false }
      #expect(try await watcher.delta().removed == ["default/reviews-host-1"])
    }
  }

  @Test func takesAWorkloadOutAfterItsSidecarVanished() async throws {
    var options = WorkloadRegistrar.Options()
    options.grace = .milliseconds(300)
    try await Plane.with(workloads: options) { plane in
      let (_, proxy) = try await sidecar(plane)
      report(proxy)
      #expect(try await eventually { try await stored(plane) != nil })
      proxy.vanish()
      #expect(try await eventually { try await stored(plane) == nil })
    }
  }

  @Test func keepsTheWorkloadOfASidecarThatComesBack() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    var options = WorkloadRegistrar.Options()
    options.grace = .milliseconds(100)
    let registrar = WorkloadRegistrar(
      store, options: options, log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    let identity = try #require(SPIFFEID("spiffe://cluster.local/ns/default/sa/reviews"))
    var report = Weft_Discovery_V1_WorkloadReport()
    report.isServing = true
    report.address = "10.0.0.5:15006"
    try await registrar.report(report, of: identity, instance: "host-1", on: 1)
    let first = try await store.get(key, at: nil)
    // On another stream, with the same to say: under another lease, and no change to those who read it.
    try await registrar.report(report, of: identity, instance: "host-1", on: 2)
    let second = try await store.get(key, at: nil)
    #expect(second?.value == first?.value && second?.lease != first?.lease && second?.lease != 0)
    await registrar.end(of: 1)
    // The grace of the first stream passes, and its lease ends.
    let lease = try #require(first?.lease)
    #expect(
      try await eventually {
        do {
          try await store.keepAlive(lease)
          return false
        } catch { return true }
      })
    #expect(try await store.get(key, at: nil)?.lease == second?.lease)
    await registrar.end(of: 2)
    #expect(try await eventually { try await store.get(key, at: nil) == nil })
    await store.close()
  }

  @Test func refusesReportsThatMakeNoSense() async throws {
    try await Plane.with { plane in
      let member = try await plane.join("reviews", kind: .sidecar)
      let mistakes: [(inout Weft_Discovery_V1_WorkloadReport) -> Void] = [
        { $0.address = "reviews:80" }, { $0.address = "10.0.0.5" }, { $0.address = "0.0.0.0:80" },
        { $0.servicePort = 70_000 }, { $0.protocol = "gopher" }, { $0.zone = String(repeating: "z", count: 100) },
        { $0.labels = Dictionary(uniqueKeysWithValues: (0..<100).map { ("l\($0)", "x") }) },
      ]
      for mistake in mistakes {
        let proxy = try await plane.connect(member, kind: .sidecar)
        report(proxy, mistake)
        #expect(try await proxy.end().error?.code == .invalidArgument)
      }
    }
  }

  @Test func namesWorkloadsAsResourcesAreNamed() {
    #expect(WorkloadRegistrar.name("reviews", "7f9c-1") == "reviews-7f9c-1")
    let odd = WorkloadRegistrar.name("reviews", "Host_1.example")
    #expect(odd.hasPrefix("reviews-") && odd.utf8.count == 24)
    #expect(odd != WorkloadRegistrar.name("reviews", "host-1.example"))
    #expect(
      WorkloadRegistrar.name(String(repeating: "s", count: 253), String(repeating: "i", count: 128)).utf8.count <= 253)
  }
}
