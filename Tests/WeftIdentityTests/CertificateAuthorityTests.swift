import Foundation
import Testing
import X509

@testable import WeftIdentity

@Suite struct CertificateAuthorityTests {
  private func id(_ name: String) throws -> SPIFFEID {
    try #require(SPIFFEID(trustDomain: "cluster.local", namespace: "default", name: name))
  }

  @Test func issuesCertificatesThatOpenSSLVerifies() throws {
    let authority = try CertificateAuthority.makeRoot(trustDomain: "cluster.local")
    let key = WorkloadKey()
    let issued = try authority.issue(try id("reviews"), for: key.publicKey, lifetime: 3_600)
    let openssl = try OpenSSL()
    try openssl.write("root.pem", authority.chainPEM)
    try openssl.write("leaf.pem", issued.chainPEM)
    for purpose in ["sslclient", "sslserver"] {
      let result = try openssl.run("verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem", "leaf.pem")
      #expect(result.status == 0, "\(result.output)")
    }
    let text = try openssl.run("x509", "-in", "leaf.pem", "-noout", "-text").output
    #expect(text.contains("URI:spiffe://cluster.local/ns/default/sa/reviews"))
    #expect(text.contains("CA:FALSE") && text.contains("Digital Signature"))
    #expect(text.contains("TLS Web Server Authentication, TLS Web Client Authentication"))
    #expect(try openssl.run("x509", "-in", "root.pem", "-noout", "-text").output.contains("URI:spiffe://cluster.local"))
    // The key belongs to it, and OpenSSL reads it.
    try openssl.write("key.pem", key.pem)
    let ofKey = try openssl.run("pkey", "-in", "key.pem", "-pubout").output
    #expect(try openssl.run("x509", "-in", "leaf.pem", "-noout", "-pubkey").output == ofKey)
    #expect(try WorkloadKey(pem: key.pem).publicKey == key.publicKey)
  }

  @Test func issuesForHostsAndAddresses() throws {
    let authority = try CertificateAuthority.makeRoot(trustDomain: "cluster.local")
    let issued = try authority.issueServer(
      names: ["localhost", "weft-control"], addresses: ["127.0.0.1", "::1"], for: WorkloadKey().publicKey, lifetime: 60)
    let openssl = try OpenSSL()
    try openssl.write("root.pem", authority.chainPEM)
    try openssl.write("leaf.pem", issued.chainPEM)
    #expect(
      try openssl.run("verify", "-verify_hostname", "weft-control", "-CAfile", "root.pem", "leaf.pem").status == 0)
    #expect(try openssl.run("verify", "-verify_ip", "127.0.0.1", "-CAfile", "root.pem", "leaf.pem").status == 0)
    #expect(try openssl.run("verify", "-verify_ip", "::1", "-CAfile", "root.pem", "leaf.pem").status == 0)
    #expect(try openssl.run("verify", "-verify_hostname", "else", "-CAfile", "root.pem", "leaf.pem").status != 0)
    #expect(throws: IdentityError.self) {
      try authority.issueServer(names: [], addresses: ["1.2.3"], for: WorkloadKey().publicKey, lifetime: 60)
    }
  }

  @Test func signsWithAnIntermediateOfSomebodyElse() throws {
    let openssl = try OpenSSL()
    try openssl.write(
      "ca.cnf",
      """
      [req]
      distinguished_name=dn
      [dn]
      [ca]
      basicConstraints=critical,CA:TRUE
      keyUsage=critical,keyCertSign,cRLSign
      subjectKeyIdentifier=hash
      """)
    for name in ["root", "mid"] {
      try openssl.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "\(name).key")
    }
    #expect(
      try openssl.run(
        "req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=Corporate", "-days", "10", "-config", "ca.cnf",
        "-extensions", "ca", "-out", "root.pem"
      ).status == 0)
    try openssl.run("req", "-new", "-key", "mid.key", "-subj", "/CN=Mesh", "-config", "ca.cnf", "-out", "mid.csr")
    #expect(
      try openssl.run(
        "x509", "-req", "-in", "mid.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "5",
        "-extfile", "ca.cnf", "-extensions", "ca", "-out", "mid.pem"
      ).status == 0)
    let chain = try openssl.read("mid.pem") + openssl.read("root.pem")
    let authority = try CertificateAuthority(chain: chain, key: try openssl.read("mid.key"))
    let issued = try authority.issue(try id("a"), for: WorkloadKey().publicKey, lifetime: 60)
    try openssl.write("leaf.pem", issued.chainPEM)
    #expect(
      try openssl.run("verify", "-CAfile", "root.pem", "-untrusted", "leaf.pem", "leaf.pem").status == 0)
    #expect(issued.intermediates.count == 1)
    // What was written reads back as the same.
    let again = try CertificateAuthority(chain: authority.chainPEM, key: try authority.keyPEM)
    #expect(again.root == authority.root && again.intermediates == authority.intermediates)

    #expect(throws: IdentityError.self) {
      try CertificateAuthority(chain: chain, key: try openssl.read("root.key"))
    }
    #expect(throws: IdentityError.self) {
      try CertificateAuthority(chain: try openssl.read("mid.pem"), key: try openssl.read("mid.key"))
    }
    #expect(throws: IdentityError.self) { try CertificateAuthority(chain: "", key: try openssl.read("mid.key")) }
    #expect(throws: IdentityError.self) {
      try CertificateAuthority(chain: issued.chainPEM + chain, key: try openssl.read("mid.key"))
    }
  }

  @Test func neverSignsBeyondItsOwnEnd() throws {
    let authority = try CertificateAuthority.makeRoot(trustDomain: "cluster.local", lifetime: 60)
    let issued = try authority.issue(try id("a"), for: WorkloadKey().publicKey, lifetime: 86_400)
    #expect(issued.certificate.notValidAfter <= authority.certificate.notValidAfter)
    #expect(throws: IdentityError.self) {
      try authority.issue(
        try id("a"), for: WorkloadKey().publicKey, lifetime: 60, now: Date().addingTimeInterval(3_600))
    }
    #expect(throws: IdentityError.self) { try CertificateAuthority.makeRoot(trustDomain: "No Domain") }
  }

  @Test func tellsWhenACertificateWasIssued() throws {
    let authority = try CertificateAuthority.makeRoot(trustDomain: "cluster.local")
    let now = Date(timeIntervalSince1970: 1_800_000_000.25)
    let issued = try authority.issue(try id("a"), for: WorkloadKey().publicKey, lifetime: 86_400, now: now)
    #expect(abs(issued.certificate.issuedAt - 1_800_000_000.25) < 0.002)
    #expect(issued.certificate.notValidBefore < now)
  }
}
