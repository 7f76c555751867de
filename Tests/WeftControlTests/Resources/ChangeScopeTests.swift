import Foundation
import Testing
import WeftConfig
import WeftStore

@testable import WeftControl

/// Checking what a change can concern must say what checking everything says.
@Suite("The scope of a change")
struct ChangeScopeTests {
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      // SplitMix64.
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }

  private let author = Author(name: "token:ann", role: "editor", address: "127.0.0.1")

  /// A resource of one of many kinds; right in itself, and with references that may lead nowhere.
  private static func resource(_ random: inout Generator) -> String {
    func number(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
    let namespace = ["default", "default", "default", "shop"][number(4)]
    let other = ["default", "shop"][number(2)]
    let n = number(12)
    func head(_ version: String, _ kind: String, _ name: String) -> String {
      "apiVersion: \(version)\nkind: \(kind)\nmetadata: {name: \(name), namespace: \(namespace)}\n"
    }
    switch number(13) {
    case 0:
      let tls =
        number(2) == 0
        ? ", {name: https, port: \(9_000 + n), protocol: HTTPS, tls: {certificateRefs: [{name: cert-\(number(3)), namespace: \(other)}]}}"
        : ""
      return head("gateway.networking.k8s.io/v1", "Gateway", "edge-\(number(3))")
        + "spec: {gatewayClassName: weft, listeners: [{name: \(["http", "web"][number(2)]), port: \(8_080 + number(3)), protocol: HTTP}\(tls)]}"
    case 1...4:
      let parent =
        number(3) == 0
        ? "{name: edge-\(number(3)), sectionName: http}" : "{group: \"\", kind: Service, name: svc-\(number(12))}"
      let filter =
        number(2) == 0
        ? "filters: [{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: filter-\(number(6))}}], "
        : ""
      return head("gateway.networking.k8s.io/v1", "HTTPRoute", "route-\(n)")
        + "spec: {hostnames: [h\(number(4)).example.com], parentRefs: [\(parent)], rules: [{\(filter)backendRefs: [{name: svc-\(number(12)), namespace: \(other), port: 80}]}]}"
    case 5, 6:
      return head("v1", "Service", "svc-\(n)") + "spec: {ports: [{name: http, port: \([80, 81][number(2)])}]}"
    case 7:
      return head("weft.dev/v1", "Service", "svc-\(n)") + "spec: {endpoints: [\"10.0.0.\(n + 1):80\"]}"
    case 8:
      return head("weft.dev/v1", "Filter", "filter-\(number(6))")
        + "spec: {type: respond, config: {status: \(200 + n)}}"
    case 9:
      return """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: slice-\(n), namespace: \(namespace), labels: {kubernetes.io/service-name: svc-\(number(12))}}
        addressType: IPv4
        ports: [{name: http, port: 8080}]
        endpoints: [{addresses: [10.1.0.\(n + 1)]}]
        """
    case 10:
      return head("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "grant-\(number(2))")
        + "spec: {from: [{group: gateway.networking.k8s.io, kind: \(["HTTPRoute", "Gateway"][number(2)]), namespace: \(other)}], to: [{group: \"\", kind: \(["Service", "Secret"][number(2)])}]}"
    case 11:
      return head("weft.dev/v1", "BackendTrafficPolicy", "policy-\(number(4))")
        + "spec: {targetRefs: [{group: \"\", kind: Service, name: svc-\(number(12))}]}"
    default:
      return head("security.istio.io/v1", "AuthorizationPolicy", "allow-\(number(3))")
        + "spec: {action: ALLOW, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge-\(number(3))}], rules: [{to: [{operation: {methods: [GET]}}]}]}"
    }
  }

  /// What came of a write, without what two stores do not have in common.
  private func outcome(
    _ service: ResourceService, _ changes: [ResourceChange], _ options: WriteOptions
  ) async -> [String] {
    do {
      let result = try await service.write(changes, verb: "test", by: author, options)
      return result.results.map { "\($0.key) \($0.outcome)" } + result.warnings.map { "warning \($0)" }
    } catch { return ["refused \(error)"] }
  }

  @Test("says the same as everything does, through random changes", arguments: [1, 2])
  func sameAsEverything(_ seed: UInt64) async throws {
    var random = Generator(state: seed)
    let folders = try [TemporaryFolder(), TemporaryFolder()]
    var thorough = ResourceValidator()
    thorough.checksEverything = true
    let services = [
      ResourceService(try await SQLiteStore(folder: folders[0].path), validator: thorough),
      ResourceService(try await SQLiteStore(folder: folders[1].path)),
    ]
    var keys: [ResourceKey] = []
    var (refused, deleted, made) = (0, 0, 0)
    // Most of the resources, and the routes among them, are about services that are there.
    for number in 0..<12 where number != 5 {
      let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: svc-\(number)}\nspec: {ports: [{name: http, port: 80}]}"
      let filter =
        "apiVersion: weft.dev/v1\nkind: Filter\nmetadata: {name: filter-\(number % 6)}\nspec: {type: respond, config: {status: 200}}"
      for one in services { _ = await outcome(one, try [Manifest.put(service)], WriteOptions()) }
      for one in services { _ = await outcome(one, try [Manifest.put(filter)], WriteOptions()) }
    }
    for step in 0..<160 {
      var changes: [ResourceChange] = []
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        if step > 40, Int.random(in: 0..<4, using: &random) == 0, let key = keys.randomElement(using: &random) {
          changes.append(ResourceChange(key, .delete))
        } else {
          let change = try Manifest.put(Self.resource(&random))
          keys.append(change.key)
          changes.append(change)
        }
      }
      var options = WriteOptions()
      // Also sets in which something is wrong already.
      options.isForced = Int.random(in: 0..<12, using: &random) == 0
      let whole = await outcome(services[0], changes, options)
      let scoped = await outcome(services[1], changes, options)
      #expect(whole == scoped, "step \(step): \(changes.map(\.key))")
      if whole.first?.hasPrefix("refused") == true { refused += 1 } else { made += 1 }
      if whole.contains(where: { $0.hasSuffix("deleted") }) { deleted += 1 }
    }
    // Of all sorts there were enough.
    #expect(refused > 10 && made > 40 && deleted > 2, "\(refused) \(made) \(deleted)")
    let findings = [try await services[0].findings(), try await services[1].findings()]
    #expect(findings[0] == findings[1])
  }

  @Test("holds what a change can concern, and no more")
  func scope() throws {
    var all: [ResourceKey: ResourceMentions] = [:]
    func add(_ yaml: String) throws -> ResourceKey {
      let document = try Manifest.document(yaml)
      all[document.key] = ResourceMentions(document)
      return document.key
    }
    for n in 0..<200 {
      _ = try add("apiVersion: v1\nkind: Service\nmetadata: {name: svc-\(n)}\nspec: {ports: [{name: http, port: 80}]}")
      _ = try add(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: r-\(n)}
        spec: {parentRefs: [{group: "", kind: Service, name: svc-\(n)}], rules: [{backendRefs: [{name: svc-\(n), port: 80}]}]}
        """)
    }
    let grant = try add(
      "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g}\nspec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}], to: [{group: \"\", kind: Service}]}"
    )
    let gateway = try add(Manifest.gateway)
    func found(_ key: ResourceKey) throws -> Set<ResourceKey>? {
      ChangeScope.find([(key, try #require(all[key]))], in: all)
    }
    let service = ResourceKey(group: "", kind: "Service", namespace: "default", name: "svc-7")
    let route = ResourceKey(group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "default", name: "r-7")
    #expect(try found(service) == [service, route, grant])
    #expect(try found(route) == [service, route, grant])
    // What it means to others stands in no name.
    #expect(try found(gateway) == nil && found(grant) == nil)
  }
}
