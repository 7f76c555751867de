import Foundation
import Testing

@testable import WeftIdentity

@Suite struct SigningRequestTests {
  @Test func makesRequestsThatOpenSSLVerifies() throws {
    let id = try #require(SPIFFEID("spiffe://cluster.local/ns/default/sa/reviews"))
    let key = WorkloadKey()
    let der = try key.signingRequest(for: id)
    let openssl = try OpenSSL()
    try openssl.write("a.csr", der)
    let text = try openssl.run("req", "-inform", "DER", "-in", "a.csr", "-noout", "-verify", "-text")
    #expect(text.status == 0 && text.output.contains("verify OK"), "\(text.output)")
    #expect(text.output.contains("URI:\(id)"))
    let request = try SigningRequest(der: der)
    #expect(request.id == id && request.publicKey == key.publicKey)
    #expect(request.keyFingerprint.utf8.count == 64)
  }

  @Test func readsRequestsThatOpenSSLMakes() throws {
    let openssl = try OpenSSL()
    try openssl.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "a.key")
    try openssl.run("req", "-new", "-key", "a.key", "-subj", "/CN=x", "-outform", "DER", "-out", "a.csr")
    #expect(try SigningRequest(der: try openssl.bytes("a.csr")).id == nil)
    try openssl.run(
      "req", "-new", "-key", "a.key", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:bank.example", "-outform", "DER",
      "-out", "b.csr")
    #expect(throws: IdentityError.self) { try SigningRequest(der: try openssl.bytes("b.csr")) }
    try openssl.run("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "c.key")
    try openssl.run("req", "-new", "-key", "c.key", "-subj", "/CN=x", "-outform", "DER", "-out", "c.csr")
    #expect(throws: IdentityError.self) { try SigningRequest(der: try openssl.bytes("c.csr")) }
  }

  @Test func refusesWhatIsDamaged() throws {
    let id = try #require(SPIFFEID("spiffe://cluster.local/ns/default/sa/reviews"))
    let der = try WorkloadKey().signingRequest(for: id)
    #expect(throws: IdentityError.self) { try SigningRequest(der: []) }
    #expect(throws: IdentityError.self) { try SigningRequest(der: Array(der.dropLast())) }
    #expect(throws: IdentityError.self) { try SigningRequest(der: [UInt8](repeating: 0x30, count: 20_000)) }
    // One bit anywhere: never a crash, and never a request for another key or name.
    for index in der.indices {
      var bytes = der
      bytes[index] ^= 1
      if let request = try? SigningRequest(der: bytes) { #expect(request.id == id) }
    }
  }
}
