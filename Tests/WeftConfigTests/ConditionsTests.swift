import Testing

@testable import WeftConfig

@Suite struct ConditionsTests {
  private func conditions(_ text: String) -> [String] {
    ConfigLoader.load(text: text, file: "a.yaml").resources.conditions.map {
      "\($0.resource) at \($0.about): \($0.type.rawValue)=\($0.status), \($0.reason)"
    }
  }

  @Test func eachParentHasItsOwn() {
    let text = route(
      """
        parentRefs: [{name: edge}, {name: nowhere}, {group: weft.dev, kind: Service, name: web}]
        rules: [{backendRefs: [{group: weft.dev, name: gone}, {group: weft.dev, name: web}]}]
      """)
    let name = "HTTPRoute.gateway.networking.k8s.io default/web"
    let gateway = "Gateway.gateway.networking.k8s.io default"
    #expect(
      conditions(text).map { $0.replacing("\(name) at ", with: "") } == [
        "\(gateway)/edge: Accepted=true, Accepted", "\(gateway)/edge: ResolvedRefs=false, BackendNotFound",
        "\(gateway)/nowhere: Accepted=false, NoMatchingParent",
        "\(gateway)/nowhere: ResolvedRefs=false, BackendNotFound",
        "Service.weft.dev default/web: Accepted=true, Accepted",
        "Service.weft.dev default/web: ResolvedRefs=false, BackendNotFound",
        "\(gateway)/edge at listener http: Accepted=true, Accepted",
        "\(gateway)/edge at listener http: Conflicted=false, NoConflicts",
      ])
  }

  @Test func routesOfServicesAreNotDroppedSilently() {
    let text = route(
      "  parentRefs: [{group: weft.dev, kind: Service, name: web}]\n  rules: [{backendRefs: [{group: weft.dev, name: web}]}]"
    )
    let found = diagnostics(text)
    #expect(found.count == 1 && found[0].contains("a sidecar does"), "\(found)")
  }
}
