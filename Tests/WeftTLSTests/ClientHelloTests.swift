import Glibc
import TestCertificates
import Testing
import WeftIO

@testable import WeftTLS

@Suite struct ClientHelloTests {
  /// What OpenSSL's client sends first.
  static func hello(_ name: String, protocols: [String]) throws -> [UInt8] {
    var settings = TLSSettings()
    settings.protocols = protocols
    let context = try TLSClientContext(serverName: name, trust: nil, settings: settings)
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    defer { for fd in ends { close(fd) } }
    let client = try #require(TLSSession.client(ends[0], context))
    #expect(client.handshake() == .wantsRead)
    client.free()
    var bytes = [UInt8](repeating: 0, count: 4096)
    let n = read(ends[1], &bytes, bytes.count)
    return Array(bytes.prefix(n))
  }

  func parse(_ bytes: [UInt8]) -> ClientHello.Outcome {
    // In memory of its exact size, so that AddressSanitizer sees any byte read beyond.
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    defer { copy.deallocate() }
    for (i, byte) in bytes.enumerated() { copy[i] = byte }
    return ClientHello.parse(Bytes(BytePointer(copy), bytes.count))
  }

  @Test func namesAndProtocolsAreRead() throws {
    let bytes = try Self.hello("a.example.test", protocols: ["h2", "http/1.1"])
    #expect(parse(bytes) == .complete(ClientHello(serverName: "a.example.test", protocols: ["h2", "http/1.1"])))
    #expect(parse(bytes + [1, 2, 3]) == parse(bytes), "what follows is not looked at")
    #expect(parse(try Self.hello("127.0.0.1", protocols: [])) == .complete(ClientHello()))
  }

  @Test func everyPrefixIsIncomplete() throws {
    let bytes = try Self.hello("a.test", protocols: ["h2"])
    for n in 0..<bytes.count { #expect(parse(Array(bytes.prefix(n))) == .incomplete, "\(n) bytes") }
  }

  @Test(arguments: [1, 3, 5, 50, 100])
  func recordsMaySplitIt(size: Int) throws {
    let bytes = try Self.hello("a.test", protocols: ["h2"])
    let message = Array(bytes.dropFirst(5))
    var split: [UInt8] = []
    for start in stride(from: 0, to: message.count, by: size) {
      let part = message[start..<min(start + size, message.count)]
      split += [22, 3, 1, UInt8(part.count >> 8), UInt8(part.count & 255)] + part
    }
    #expect(parse(split) == .complete(ClientHello(serverName: "a.test", protocols: ["h2"])))
  }

  @Test func whatIsNoHelloIsMalformed() {
    #expect(parse(Array("GET / HTTP/1.1\r\n".utf8)) == .malformed)
    #expect(parse([22, 2]) == .malformed)
    #expect(parse([22, 3, 1, 0, 0]) == .malformed)
    #expect(parse([22, 3, 1, 0xff, 0xff]) == .malformed)
    #expect(parse([22, 3, 1, 0, 4, 2]) == .malformed, "no client_hello")
    #expect(parse([22, 3, 1, 0, 4, 1, 1, 0, 0]) == .malformed, "longer than any hello")
    let endless = (0..<20_000).flatMap { _ in [22, 3, 1, 0, 1, 1] as [UInt8] }
    #expect(parse(endless) == .malformed)
  }

  /// Broken hellos neither trap nor read beyond their end.
  @Test func mutationsAreSurvived() throws {
    let bytes = try Self.hello("a.example.test", protocols: ["h2", "http/1.1"])
    var random = SystemRandomNumberGenerator()
    var outcomes: Set<String> = []
    for _ in 0..<20_000 {
      var mutant = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0..<mutant.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: mutant[at] = UInt8.random(in: 0...255, using: &random)
        case 1: mutant.removeSubrange(at..<min(at + 3, mutant.count))
        case 2: mutant.insert(UInt8.random(in: 0...255, using: &random), at: at)
        default: mutant = Array(mutant.prefix(max(at, 1)))
        }
        if mutant.isEmpty { mutant = [22] }
      }
      switch parse(mutant) {
      case .complete(let hello):
        outcomes.insert("complete")
        #expect((hello.serverName?.utf8.count ?? 0) <= 255)
      case .incomplete: outcomes.insert("incomplete")
      case .malformed: outcomes.insert("malformed")
      }
    }
    #expect(outcomes.count == 3)
  }
}
