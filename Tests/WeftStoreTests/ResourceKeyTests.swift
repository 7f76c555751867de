import Testing
import WeftStore

struct ResourceKeyTests {
  @Test(arguments: [
    "/resources/core/Service/default/reviews", "/resources/gateway.networking.k8s.io/HTTPRoute/shop/reviews",
    "/resources/weft.dev/MeshConfig/_/default",
  ])
  func comesBackFromItsPath(path: String) {
    #expect(ResourceKey(path)?.path == path)
  }

  @Test(arguments: [
    "", "/resources/", "/resources/core/Service/default", "/resources/core/Service//a", "/status/core/Service/a/b",
    "/resources/core/Service/a/b/c",
  ])
  func refusesOtherPaths(path: String) {
    #expect(ResourceKey(path) == nil)
  }

  @Test func readsAsPeopleWriteIt() {
    let core = ResourceKey(group: "", kind: "Service", namespace: "default", name: "reviews")
    #expect(core.description == "Service default/reviews")
    #expect(core.statusPath == "/status/core/Service/default/reviews")
    let mesh = ResourceKey(group: "weft.dev", kind: "MeshConfig", namespace: "", name: "default")
    #expect(mesh.description == "MeshConfig.weft.dev default")
  }
}
