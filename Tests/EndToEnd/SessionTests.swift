import Testing

@Suite("Sessions", .endToEnd)
struct SessionTests {
  private struct Place {
    let scene: Scene
    let backends: [Backend]

    /// Two endpoints of one service, and a third of another one, which takes a share of the requests.
    init(_ session: String) throws {
      backends = try ["a", "b", "c"].map { try Backend($0) }
      let rules = """
        [{sessionPersistence: {\(session)}, backendRefs: [\(Resources.backendRef("pair")), \
        \(Resources.backendRef("single"))]}]
        """
      scene = try Scene(
        rules: rules,
        more: [
          Resources.service("pair", [backends[0].endpoint, backends[1].endpoint]),
          Resources.service("single", [backends[2].endpoint]),
        ], workers: 2)
    }

    func stop() {
      scene.stop()
      for backend in backends { backend.stop() }
    }
  }

  /// The pair of name and value in a Set-Cookie field.
  private func cookie(_ response: HTTPMessage) throws -> String {
    let field = try #require(response["set-cookie"])
    return String(field.prefix { $0 != ";" })
  }

  @Test("a cookie keeps a client with its endpoint, whichever backend that belongs to")
  func cookies() throws {
    let place = try Place("sessionName: seat")
    defer { place.stop() }
    var seen: Set<String> = []
    for _ in 0..<12 {
      let first = try place.scene.get("/who")
      let cookie = try cookie(first)
      let name = try #require(first["x-backend"])
      seen.insert(name)
      #expect(cookie.hasPrefix("seat="))
      #expect(first["set-cookie"]?.hasSuffix("; Path=/; HttpOnly; SameSite=Lax") == true)
      for _ in 0..<5 {
        let next = try place.scene.get("/who", "cookie: other=1; \(cookie); seat2=x")
        #expect(next["x-backend"] == name)
        #expect(next["set-cookie"] == nil, "the client knows its cookie")
      }
    }
    #expect(seen.count > 1, "new clients are spread as ever")
  }

  @Test("a cookie that means nothing, or an endpoint that is gone, begins a new session")
  func unknown() throws {
    let place = try Place("sessionName: seat")
    defer { place.stop() }
    for value in ["", "x", "1.2.3", "0.0.0", "ffffffffffffffffffff.1.1", "....", String(repeating: "a", count: 4000)] {
      let response = try place.scene.get("/who", "cookie: seat=\(value)")
      #expect(response.status == 200)
      #expect(try cookie(response).hasPrefix("seat="))
    }
  }

  @Test("an endpoint that takes no connections any more is left for another, and the client is told")
  func movesOn() throws {
    let backends = try ["a", "b"].map { try Backend($0) }
    let scene = try Scene(
      rules: "[{sessionPersistence: {sessionName: seat}, backendRefs: [\(Resources.backendRef("pair"))]}]",
      more: [Resources.service("pair", backends.map(\.endpoint))])
    defer { scene.stop() }
    let first = try scene.get("/who")
    let cookie = try cookie(first)
    let name = try #require(first["x-backend"])
    for backend in backends where backend.name == name { backend.stop() }
    let next = try eventually("the other endpoint to take over") {
      let response = try scene.get("/who", "cookie: \(cookie)")
      return response.status == 200 && response["x-backend"] != name ? response : nil
    }
    #expect(try self.cookie(next) != cookie)
    for backend in backends { backend.stop() }
  }

  @Test("a field keeps a client, and an idle time renews it with each response")
  func header() throws {
    let place = try Place("type: Header, header: {name: X-Seat}, idleTimeout: 1h, absoluteTimeout: 2h")
    defer { place.stop() }
    let first = try place.scene.get("/who")
    let seat = try #require(first["x-seat"])
    for _ in 0..<10 {
      let next = try place.scene.get("/who", "x-seat: \(seat)")
      #expect(next["x-backend"] == first["x-backend"])
      #expect(next["x-seat"] != nil)
    }
    let parts = seat.split(separator: ".")
    let old = "\(parts[0]).1.1"
    let renewed = try place.scene.get("/who", "x-seat: \(old)")
    let time = try #require(renewed["x-seat"]?.split(separator: ".").dropFirst().first)
    #expect(time != "1", "a session that is over is not taken up again")
  }

  @Test("a permanent cookie says how long it lasts")
  func permanent() throws {
    let place = try Place("cookie: {name: seat, path: /who, lifetimeType: Permanent}, absoluteTimeout: 1h")
    defer { place.stop() }
    let field = try #require(try place.scene.get("/who")["set-cookie"])
    #expect(field.hasSuffix("; Path=/who; HttpOnly; SameSite=Lax; Max-Age=3600"))
  }
}
