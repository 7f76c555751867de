import Testing

@testable import WeftConfig

@Suite("Kinds and names of the mesh") struct MeshTests {
  private func workload(_ spec: String) -> String {
    "apiVersion: weft.dev/v1\nkind: Workload\nmetadata: {name: w}\nspec: \(spec)"
  }

  @Test func workloadsAreReadAndFoundByTheirService() throws {
    let set = resources(
      """
      apiVersion: weft.dev/v1
      kind: Service
      metadata: {name: reviews}
      spec: {loadBalancer: random}
      ---
      \(workload("{service: reviews, address: \"10.0.0.7:15006\", mutualTLS: true, identity: \"spiffe://m/ns/a/sa/b\"}"))
      """)
    let service = try #require(set.weftServices.all.first)
    #expect(service.endpoints.isEmpty)
    let found = try #require(set.workloads(of: service.name).first)
    #expect(found.address == "10.0.0.7" && found.port == 15_006 && found.weight == 1 && found.isServing)
    #expect(found.isMutualTLS && found.identity == "spiffe://m/ns/a/sa/b" && found.protocol == .http)
    #expect(set.workloads(of: ResourceName(namespace: "other", name: "reviews")).isEmpty)
  }

  @Test(arguments: [
    ("{address: \"10.0.0.7:80\"}", "spec.service: is missing; it must be given"),
    (
      "{service: a, address: \"app.internal:80\"}",
      "spec.address: \"app.internal:80\" is no address of a workload; write IP:PORT, such as 10.0.0.5:15006"
    ),
    (
      "{service: a, address: \"10.0.0.7:80\", mutualTLS: true}",
      "spec.identity: is missing; with \"mutualTLS: true\" it is what the workload's certificate is checked for"
    ),
    (
      "{service: a, address: \"10.0.0.7:80\", identity: \"https://a\"}",
      "spec.identity: \"https://a\" is not allowed; a SPIFFE ID is such as spiffe://cluster.local/ns/default/sa/reviews"
    ),
  ])
  func mistakesInWorkloads(spec: String, message: String) {
    #expect(diagnostics(workload(spec)).contains { $0.hasSuffix(message) }, "\(diagnostics(workload(spec)))")
  }

  @Test func unhealthyAndWeightlessWorkloadsDoNotServe() {
    for more in ["health: Unhealthy", "weight: 0"] {
      let set = resources(workload("{service: a, address: \"10.0.0.7:80\", \(more)}"))
      #expect(set.workloads.all.first?.isServing == false)
    }
  }

  @Test(arguments: [
    ("reviews", "shop/reviews"), ("Reviews:9080", "shop/reviews"), ("reviews.", "shop/reviews"),
    ("reviews.books", "books/reviews"), ("reviews.books:80", "books/reviews"), ("reviews.books.svc", "books/reviews"),
    ("reviews.books.svc.cluster.local", "books/reviews"), ("reviews.books.svc.cluster.local.:80", "books/reviews"),
  ])
  func hostsNameServices(host: String, service: String) {
    #expect(MeshHosts.service(host, from: "shop")?.description == service)
  }

  @Test(arguments: [
    "", ":80", "10.0.0.1", "10.0.0.1:80", "a.b.c", "a.b.c.svc", "svc.cluster.local", ".svc.cluster.local", "a..svc",
    "rev_iews", "-a", "www.example.com", "[::1]:80",
  ])
  func otherHostsNameNone(host: String) {
    #expect(MeshHosts.service(host, from: "shop") == nil)
  }

  @Test func everyNameOfAServiceLeadsBackToIt() {
    let service = ResourceName(namespace: "books", name: "reviews")
    for namespace in ["books", "shop"] {
      let names = MeshHosts.names(of: service, from: namespace)
      #expect(names.contains("reviews") == (namespace == "books"))
      for name in names { #expect(MeshHosts.service(name, from: namespace) == service) }
    }
  }

  @Test func gatewaysHaveRolesInTheMesh() {
    func gateway(_ role: String) -> String {
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: Gateway
      metadata: {name: out, annotations: {weft.dev/mesh: \(role)}}
      spec: {gatewayClassName: weft, listeners: [{name: http, port: 80, protocol: HTTP}]}
      """
    }
    #expect(resources(gateway("outbound")).gateways.all.first?.meshRole == .outbound)
    #expect(
      diagnostics(gateway("sideways")).contains {
        $0.hasSuffix("annotation weft.dev/mesh is \"outbound\" or \"inbound\", not \"sideways\"")
      })
  }

  @Test func resourcesAreReadUnderTheNamesOfTheirSources() {
    let json = Array(#"{"apiVersion":"weft.dev/v1","kind":"Workload","metadata":{"name":"w"},"spec":{}}"#.utf8)
    let document = ConfigDocuments(json: json, source: "control:Workload.weft.dev default/w")
    let loaded = ConfigLoader.load(documents: [document], sources: ["control:Workload.weft.dev default/w"])
    #expect(loaded.hasErrors)
    #expect(loaded.diagnostics.allSatisfy { $0.location.file == "control:Workload.weft.dev default/w" })
    #expect(loaded.files == ["control:Workload.weft.dev default/w"])
  }
}
