import Testing

@Suite("A proxy in front of a backend", .endToEnd)
struct SmokeTests {
  @Test("passes a request on and its response back")
  func roundTrip() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.get("/echo?x=1", "x-mine: yes")
    #expect(response.status == 200)
    #expect(response["x-backend"] == "backend")
    #expect(response.text.hasPrefix("GET /echo?x=1 HTTP/1.1\r\n"))
    #expect(response.text.contains("x-mine: yes\r\n"))
    let line = try scene.accessLog(1)[0]
    #expect(line.status == 200)
  }
}
