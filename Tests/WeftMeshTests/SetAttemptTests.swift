import Testing
import WeftConfig

@testable import WeftMesh

@Suite("One bad resource does not hold up the others")
struct SetAttemptTests {
  private func error(_ resource: HeldResource?, _ message: String) -> Diagnostic {
    Diagnostic(at: SourceLocation(file: resource?.source ?? "elsewhere", line: 3), message)
  }

  @Test("what is refused is replaced by its last good version, or left out")
  func replacing() throws {
    let (type, json) = service("a")
    let old = try #require(resource(type, json, version: "1"))
    let new = try #require(resource(type, json, version: "2"))
    let fresh = try #require(resource(type, service("b").json))
    var all = HeldResources()
    all.put(new)
    all.put(fresh)
    var attempt = SetAttempt(all, options: gatewayOptions())
    let diagnostics = [error(new, "is wrong"), error(new, "twice"), error(fresh, "is bad")]
    let blamed1 = attempt.blame(diagnostics, lastGood: [old.key: old])
    #expect(blamed1)
    #expect(attempt.resources[old.key]?.version == "1" && attempt.resources[fresh.key] == nil)
    #expect(attempt.rejections[old.key] == ResourceRejection(version: "2", message: "is wrong\ntwice"))
    #expect(attempt.rejections[fresh.key]?.message == "is bad")
    // The last good version fails too, beside something else: the first reason stays, and it is left out.
    let blamed2 = attempt.blame([error(old, "now this")], lastGood: [old.key: old])
    #expect(blamed2)
    #expect(attempt.resources.isEmpty && attempt.rejections[old.key]?.version == "2")
  }

  @Test("an error that names no resource is about what is new, and there is an end to trying")
  func unattributed() throws {
    let old = try #require(resource(service("a").type, service("a").json))
    let new = try #require(resource(service("b").type, service("b").json))
    var all = HeldResources()
    all.put(old)
    all.put(new)
    var attempt = SetAttempt(all, options: gatewayOptions())
    let diagnostic = error(nil, "the port is taken")
    let blamed3 = attempt.blame([diagnostic], lastGood: [old.key: old])
    #expect(blamed3)
    #expect(attempt.resources.keys.map(\.name) == ["default/a"])
    #expect(attempt.rejections[new.key]?.message == "elsewhere:3: the port is taken")
    let blamed4 = attempt.blame([diagnostic], lastGood: [old.key: old])
    #expect(!blamed4)
  }

  @Test("answers say what is wrong, and take back what is right again")
  func nonces() throws {
    var nonces = DeltaNonces()
    let due5 = nonces.due([:])
    #expect(due5.isEmpty)
    nonces.received("T", "1")
    let bad = ["default/a": ResourceRejection(version: "2", message: "is wrong")]
    let due6 = nonces.due(["T": bad])
    #expect(due6.map(\.nonce) == ["1"])
    let due7 = nonces.due(["T": bad])
    #expect(due7.isEmpty)
    let healed = nonces.due([:])
    #expect(healed.map(\.type) == ["T"] && healed.first?.withdrawn == ["default/a"])
    // A refusal that comes to light after its delta was answered is told by that delta's nonce.
    let due8 = nonces.due(["T": bad])
    #expect(due8.map(\.nonce) == ["1"])
    // Nothing was sent of this type: nothing can be answered.
    let due9 = nonces.due(["T": bad, "U": bad])
    #expect(due9.isEmpty)
  }
}
