import Testing

@testable import WeftMesh

@Suite("Services that requests ask for")
struct ServiceDemandTests {
  @Test("hosts become services, and those that do not exist are known as absent once that was said")
  func absent() {
    var demand = ServiceDemand(namespace: "default")
    let known = held(service("ratings"))
    let isNew = demand.add(["ratings", "ghost", "ghost.default", "www.example.com"], holding: known)
    #expect(isNew)
    #expect(Set(demand.names) == ["default/ratings", "default/ghost"])
    #expect(demand.absent(known, answered: []) == [])
    let answered: Set = [
      Interest(type: ResourceType.service, name: "default/ghost"),
      Interest(type: ResourceType.weftService, name: "default/ghost"),
    ]
    #expect(demand.absent(known, answered: answered) == ["ghost", "ghost.default"])
  }

  @Test("there is an end to them: those that do not exist go first")
  func bound() {
    var demand = ServiceDemand(namespace: "default")
    let known = held(service("first"))
    _ = demand.add(["first"], holding: known)
    for i in 0..<ServiceDemand.limit + 10 { _ = demand.add(["ghost-\(i)"], holding: known) }
    #expect(demand.names.count == ServiceDemand.limit && demand.names.first == "default/first")
    #expect(demand.names.last == "default/ghost-\(ServiceDemand.limit + 9)")
  }
}
