import Testing

@testable import WeftMesh

@Suite("What a proxy needs to know")
struct ClosureTests {
  private func names(_ closure: Closure, _ type: String) -> Set<String> {
    Set(closure.interests.filter { $0.type == type }.map(\.name))
  }

  @Test("a gateway begins with itself and its routes, and follows them to services, filters, secrets and bundles")
  func gateway() {
    let empty = Closure(gatewayOptions(), held: HeldResources(), demanded: [])
    #expect(names(empty, ResourceType.gateway) == ["default/edge"])
    #expect(names(empty, ResourceType.httpRoute) == ["@Gateway/default/edge"])
    #expect(names(empty, ResourceType.service) == [] && names(empty, ResourceType.secret) == [])

    let reference = #"{"type":"ExtensionRef","extensionRef":{"group":"weft.dev","kind":"Filter","name":"tag"}}"#
    let mirror = #"{"requestMirror":{"backendRef":{"name":"audit","namespace":"ops","port":80}}}"#
    let filters = "[\(reference),\(mirror)]"
    let full = Closure(
      gatewayOptions(),
      held: held(
        (
          ResourceType.gateway,
          #"{"metadata":{"name":"edge"},"spec":{"listeners":[{"tls":{"certificateRefs":[{"name":"c"},{"name":"d","namespace":"pki"}]}}]}}"#
        ), route("shop", parent: edgeParent, to: ["cart"], filters: filters), service("cart"),
        route("other", parent: #"{"name":"elsewhere"}"#, to: ["hidden"]),
        (
          ResourceType.filter,
          #"{"metadata":{"name":"tag"},"spec":{"type":"lua","config":{"bundle":"tagger","services":["users:80"]}}}"#
        )),
      demanded: [], bundleServices: ["default/tagger": ["ops/log"]])
    #expect(names(full, ResourceType.secret) == ["default/c", "pki/d"])
    #expect(names(full, ResourceType.weftService) == ["default/cart", "ops/audit", "default/users", "ops/log"])
    #expect(names(full, ResourceType.workload) == ["@WeftService/default/cart"])
    #expect(names(full, ResourceType.filter) == ["default/tag"])
    #expect(names(full, ResourceType.filterBundle) == ["default/tagger"])
    #expect(names(full, ResourceType.referenceGrant) == ["@pki", "@ops"])
    #expect(names(full, ResourceType.namespace) == ["default"])
    #expect(names(full, "weft.dev/v1/AuthorizationPolicy") == ["@default", "@weft-system"])
  }

  @Test("a sidecar knows its own service, and others once they are asked for, with the routes that lead on from them")
  func sidecar() {
    let begin = Closure(sidecarOptions(), held: held(service("ratings")), demanded: [])
    #expect(names(begin, ResourceType.weftService) == ["default/reviews"])
    let later = Closure(
      sidecarOptions(),
      held: held(
        service("ratings"), route("split", parent: serviceParent("ratings"), to: ["ratings-v2"]), service("ratings-v2"),
        route("deeper", parent: serviceParent("ratings-v2"), to: ["never"])), demanded: ["default/ratings"])
    #expect(
      names(later, ResourceType.weftService) == ["default/reviews", "default/ratings", "default/ratings-v2"])
    #expect(names(later, ResourceType.httpRoute) == ["@WeftService/default/ratings"])
    #expect(
      names(later, ResourceType.workload) == ["@WeftService/default/ratings", "@WeftService/default/ratings-v2"])
  }

  @Test("what no subscription is about any more is dropped")
  func dropping() {
    var all = held(
      service("a"), service("b"), route("r", parent: serviceParent("a"), to: []),
      route("s", parent: serviceParent("b"), to: []),
      (ResourceType.workload, #"{"metadata":{"name":"w"},"spec":{"service":"a"}}"#),
      (
        ResourceType.backendTrafficPolicy,
        #"{"metadata":{"name":"p"},"spec":{"targetRefs":[{"group":"weft.dev","kind":"Service","name":"b"}]}}"#
      ))
    all.keep([
      Interest(type: ResourceType.weftService, name: "default/a"),
      Interest(type: ResourceType.httpRoute, name: "@WeftService/default/a"),
      Interest(type: ResourceType.workload, name: "@WeftService/default/a"),
      Interest(type: ResourceType.backendTrafficPolicy, name: "@WeftService/default/a"),
    ])
    #expect(all.all.map(\.name) == ["default/r", "default/a", "default/w"])
    #expect(all.versions(ResourceType.httpRoute) == ["default/r": "1"])
  }

  @Test("of the settings for a proxy its own count, otherwise those of all")
  func proxySettings() throws {
    let all = #"{"metadata":{"name":"default","namespace":"weft-system"},"spec":{}}"#
    let own = #"{"metadata":{"name":"edge"},"spec":{}}"#
    let both = held((ResourceType.proxy, all), (ResourceType.proxy, own))
    #expect(Closure.proxy(gatewayOptions(), both)?.name == "default/edge")
    #expect(Closure.proxy(gatewayOptions("other"), both)?.name == "weft-system/default")
    let attempt = SetAttempt(both, options: gatewayOptions())
    #expect(attempt.resources.keys.map(\.name) == ["default/edge"])
  }
}
