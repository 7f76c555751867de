import Testing
import WeftCrypto

@Suite("Digests") struct DigestTests {
  private func hex(_ digest: Digest, _ pieces: [String]) throws -> String {
    for piece in pieces {
      let bytes = Array(piece.utf8)
      try bytes.withUnsafeBytes { try digest.update($0) }
    }
    var out = [UInt8](repeating: 0, count: 64)
    let count = try out.withUnsafeMutableBytes { try digest.finish(into: $0) }
    #expect(count == digest.algorithm.length)
    return out.prefix(count).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test("Pieces give what the whole gives") func pieces() throws {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect(try hex(Digest(.sha256), ["abc"]) == expected)
    #expect(try hex(Digest(.sha256), ["a", "", "bc"]) == expected)
  }

  @Test("An HMAC may have an empty key") func emptyKey() throws {
    let key = UnsafeRawBufferPointer(start: nil, count: 0)
    let expected = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
    #expect(try hex(Digest(.sha256, key: key), [""]) == expected)
  }

  @Test("Too little room is refused") func room() throws {
    let digest = try Digest(.sha512)
    var out = [UInt8](repeating: 0, count: 32)
    #expect(throws: CryptoError.self) { try out.withUnsafeMutableBytes { _ = try digest.finish(into: $0) } }
  }
}
