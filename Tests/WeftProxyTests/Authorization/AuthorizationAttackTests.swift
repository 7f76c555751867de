import Testing

@testable import WeftProxy

/// Spellings by which a client may try to get past a policy. What denies holds for each of them, and what allows does not.
@Suite struct AuthorizationAttackTests {
  typealias Case = AuthorizationCase

  static let denyAdmin = "action: DENY, rules: [{to: [{operation: {paths: [/admin, \"/admin/*\"]}}]}]"
  static let allowPublic = "rules: [{to: [{operation: {paths: [\"/public/*\"]}}]}]"

  /// Ways to say `/admin/x` or `/admin` to some server or other.
  @Test(arguments: [
    "/admin", "/admin/", "/admin/x", "/admin?x", "//admin", "//admin//x", "/./admin", "/x/../admin", "/%61dmin",
    "/%61%64%6d%69%6e", "/admin%2fx", "/admin%2Fx", "/%2fadmin", "/%2e/admin", "/x/%2e%2e/admin", "/x%2f..%2fadmin",
    "/x%2f%2e%2e%2fadmin", "/public/..%2fadmin", "/public/..;/admin", "/public/..;a=b/admin/x", "/admin;x=y",
    "/admin;x/y", "/%5cadmin", "/admin%5cx", "/;/admin", "/x/..%5cadmin", "/public%2f..%2fadmin/x",
  ])
  func spellingsOfAPath(target: String) throws {
    #expect(try !Case(target: target).isAllowed(Self.denyAdmin))
    #expect(try !Case(target: target).isAllowed(Self.allowPublic))
    // The opposite of a denied path is no way in either.
    #expect(try !Case(target: target).isAllowed("rules: [{to: [{operation: {notPaths: [/admin, \"/admin/*\"]}}]}]"))
  }

  @Test(arguments: ["/public/a", "/public/a%20b", "/public/a;v=1", "/public//a", "/public/a/../b", "/public/a%2fb"])
  func whatIsMeantPasses(target: String) throws {
    #expect(try Case(target: target).isAllowed(Self.denyAdmin, Self.allowPublic))
  }

  /// A DENY policy that spares a path does not spare what only looks like it.
  @Test(arguments: ["/health/../admin", "/health/..;/admin", "/health/..%2fadmin", "/health%2f..%2fadmin"])
  func exceptions(target: String) throws {
    #expect(
      try !Case(target: target).isAllowed("action: DENY, rules: [{to: [{operation: {notPaths: [\"/health/*\"]}}]}]"))
  }

  /// Paths that no server should be asked for are refused before any policy is asked.
  @Test(arguments: ["/../admin", "/%2e%2e/admin", "/a%00/admin", "/a%zz"])
  func refused(target: String) throws {
    #expect(throws: AuthorizationCase.Refused.self) { try Case(target: target).isAllowed(Self.denyAdmin) }
  }

  @Test(arguments: [
    "internal.test", "INTERNAL.test", "internal.test.", "internal.test:80", "internal.test.:8080", "Internal.Test.:1",
  ])
  func spellingsOfAHost(host: String) throws {
    #expect(try !Case(host: host).isAllowed("action: DENY, rules: [{to: [{operation: {hosts: [internal.test]}}]}]"))
    #expect(try !Case(host: host).isAllowed("action: DENY, rules: [{to: [{operation: {hosts: [\"*.test\"]}}]}]"))
    #expect(try !Case(host: host).isAllowed("rules: [{to: [{operation: {notHosts: [Internal.test]}}]}]"))
  }

  @Test func spellingsOfAMethod() throws {
    #expect(try !Case(method: "post").isAllowed("action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]"))
    #expect(try !Case(method: "post").isAllowed("rules: [{to: [{operation: {methods: [POST]}}]}]"))
    #expect(try !Case(method: "Post").isAllowed("rules: [{to: [{operation: {notMethods: [POST]}}]}]"))
    #expect(try !Case(method: "get").isAllowed("action: DENY, rules: [{to: [{operation: {notMethods: [GET]}}]}]"))
  }

  /// Of several fields of a name, any may deny, and all must allow.
  @Test(arguments: [["x-role: admin", "x-role: guest"], ["x-role: guest", "X-Role: admin"]])
  func severalFields(fields: [String]) throws {
    let request = Case(fields: fields)
    func when(_ values: String) -> String { "rules: [{when: [{key: \"request.headers[x-role]\", \(values)}]}]" }
    #expect(try !request.isAllowed(when("values: [admin]")))
    #expect(try !request.isAllowed(when("notValues: [guest]")))
    #expect(try request.isAllowed(when("values: [admin, guest]")))
    #expect(try !request.isAllowed("action: DENY, " + when("values: [admin]")))
    #expect(try !request.isAllowed("action: DENY, " + when("notValues: [guest]")))
    #expect(try request.isAllowed("action: DENY, " + when("notValues: [guest, admin]")))
  }

  /// A field that is not there is not what a DENY policy spares.
  @Test func absentFields() throws {
    let spares = "action: DENY, rules: [{when: [{key: \"request.headers[x-token]\", notValues: [\"*\"]}]}]"
    #expect(try !Case().isAllowed(spares))
    #expect(try !Case(fields: ["x-token:"]).isAllowed(spares))
    #expect(try Case(fields: ["x-token: a"]).isAllowed(spares))
  }

  /// Characters that mean something to matchers elsewhere mean nothing here.
  @Test func literals() throws {
    #expect(
      try !Case(principal: "spiffe://d/ns/shopX/sa/a").isAllowed(
        "rules: [{from: [{source: {namespaces: [\"shop.\"]}}]}]"))
    #expect(try !Case(target: "/aXb").isAllowed("rules: [{to: [{operation: {paths: [\"/a.b\"]}}]}]"))
    #expect(try !Case(target: "/aXb").isAllowed("rules: [{to: [{operation: {paths: [\"/a*b\"]}}]}]"))
  }
}
