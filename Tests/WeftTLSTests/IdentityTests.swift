import Glibc
import TestCertificates
import Testing
import WeftIO

@testable import WeftTLS

@Suite struct TLSIdentityTests {
  let authority: TestAuthority
  let trust: TrustStore

  init() throws {
    authority = try TestAuthority()
    trust = try authority.trust
  }

  func client(_ name: String, identity: TLSIdentity? = nil, _ change: (inout TLSSettings) -> Void = { _ in }) throws
    -> TLSClientContext
  {
    var settings = TLSSettings()
    change(&settings)
    return try TLSClientContext(serverName: name, trust: trust, identity: identity, settings: settings)
  }

  // MARK: Choosing a certificate

  @Test func serverNamesChoose() throws {
    func context(_ name: String) throws -> TLSServerContext {
      try TLSServerContext(identities: [authority.identity(name, names: ["DNS:\(name)"])])
    }
    let names = try TLSServerNames(
      [
        .init(hostname: "a.ex.test", context: context("a.ex.test")),
        .init(hostname: "*.ex.test", context: context("*.ex.test")),
        .init(hostname: "*.b.ex.test", context: context("*.b.ex.test")),
      ], tickets: TicketKeys())
    for (asked, subject) in [
      ("a.ex.test", "CN=a.ex.test"), ("c.ex.test", "CN=*.ex.test"), ("x.b.ex.test", "CN=*.b.ex.test"),
      ("A.EX.TEST", "CN=a.ex.test"),
    ] {
      let pair = try Pair(names, try client(asked))
      try pair.established()
      #expect(pair.client.peerCertificate?.subject == subject)
    }
    #expect(names.index(of: "x.y.ex.test") == 1, "a wildcard stands for several labels")
    #expect(names.index(of: "ex.test") == nil)
    let pair = try Pair(names, try client("other.example"))
    #expect(try #require(pair.shake()).server == .failed)
    #expect(pair.server.failure?.reason == .unknownServerName)
    #expect(pair.server.failure?.message.contains("other.example") == true)
    #expect(pair.client.failure?.reason == .alert)
  }

  @Test func severalCertificatesOfOneContextServeTheirNames() throws {
    let names = try port([
      try authority.identity("one", names: ["DNS:one.test"]),
      try authority.identity("two", names: ["DNS:two.test", "DNS:*.two.test"]),
    ])
    for (asked, subject) in [("one.test", "CN=one"), ("two.test", "CN=two"), ("x.two.test", "CN=two")] {
      let pair = try Pair(names, try client(asked))
      try pair.established()
      #expect(pair.client.peerCertificate?.subject == subject)
    }
  }

  @Test func theClientsAlgorithmsChooseBetweenKeys() throws {
    let names = try port([
      try authority.identity("rsa", names: ["DNS:a.test"], key: .rsa),
      try authority.identity("ec", names: ["DNS:a.test"]),
    ])
    for (cipher, subject) in [("ECDHE-RSA-AES128-GCM-SHA256", "CN=rsa"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "CN=ec")] {
      let pair = try Pair(
        names,
        try client("a.test") {
          $0.maximumVersion = .v12
          $0.ciphers = cipher
        })
      try pair.established()
      #expect(pair.client.peerCertificate?.subject == subject)
      #expect(pair.server.cipher == cipher)
    }
  }

  @Test func chainsAreSent() throws {
    let intermediate = try TestAuthority("Intermediate", parent: authority)
    let names = try port([try intermediate.identity("s", names: ["DNS:a.test"])])
    let pair = try Pair(names, try client("a.test"))
    try pair.established()
  }

  @Test func weakCiphersAreNotSpoken() throws {
    let names = try port([try authority.identity("s", names: ["DNS:a.test"], key: .rsa)])
    for cipher in ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256"] {
      let pair = try Pair(
        names,
        try client("a.test") {
          $0.maximumVersion = .v12
          $0.ciphers = cipher
        })
      #expect(try #require(pair.shake()).server == .failed)
      #expect(pair.server.failure?.reason == .noSharedCipher)
    }
  }

  // MARK: What a client refuses

  @Test func aClientRefusesWhatItShould() throws {
    let other = try TestAuthority("Other CA")
    let cases: [(TLSIdentity, TLSFailure.Reason, String)] = [
      (try authority.identity("old", names: ["DNS:a.test"], days: -3), .expired, "expired 3 days ago: CN=old"),
      (
        try authority.identity("b", names: ["DNS:b.test"]), .wrongName,
        "the certificate is for another name: CN=b (it is for b.test)"
      ),
      (try other.identity("o", names: ["DNS:a.test"]), .unknownAuthority, "issued by CN=Other CA"),
    ]
    for (identity, reason, message) in cases {
      let pair = try Pair(try port([identity]), try client("a.test"))
      #expect(try #require(pair.shake()).client == .failed)
      #expect(pair.client.failure?.reason == reason)
      #expect(pair.client.failure?.message.contains(message) == true, "\(pair.client.failure?.message ?? "")")
      #expect(!pair.client.isPeerVerified)
    }
  }

  @Test func subjectsTakeThePlaceOfTheServerName() throws {
    let names = try port([try authority.identity("s", names: ["DNS:b.test", "URI:spiffe://mesh/ns/x/sa/y"])])
    for (subject, fits) in [
      (SubjectMatch.uri("spiffe://mesh/ns/x/sa/y"), true), (.uri("spiffe://mesh/ns/x/sa/yy"), false),
      (.dns("b.test"), true), (.dns("a.test"), false), (.trustDomain("mesh"), true), (.trustDomain("mes"), false),
    ] {
      let context = try TLSClientContext(serverName: "a.test", trust: trust, subjects: [subject])
      let pair = try Pair(names, context)
      #expect(try #require(pair.shake()).client == (fits ? .done : .failed), "\(subject)")
      if !fits { #expect(pair.client.failure?.reason == .wrongName) }
    }
  }

  @Test func withoutTrustEverythingIsTakenAndNothingVerified() throws {
    let pair = try Pair(
      try port([try authority.identity("s", days: -3)]), try TLSClientContext(serverName: "a.test", trust: nil))
    try pair.established()
    #expect(!pair.client.isPeerVerified)
  }

  @Test func addressesAreVerifiedToo() throws {
    let names = try port([try authority.identity("s", names: ["IP:127.0.0.1"])])
    let pair = try Pair(names, try client("127.0.0.1"))
    try pair.established()
    #expect(pair.server.serverName == nil, "an address is no server name")
    let wrong = try Pair(names, try client("127.0.0.2"))
    #expect(try #require(wrong.shake()).client == .failed)
  }

  // MARK: Clients' certificates

  @Test func clientCertificates() throws {
    let other = try TestAuthority("Other CA")
    let revoked = try authority.issue("revoked")
    let lists = try authority.revocationList(revoking: [revoked])
    let strict = try TrustStore(authorities: authority.certificate, revocationLists: lists)
    let server = try authority.identity("server", names: ["DNS:a.test"])
    let cases: [(TLSIdentity?, TLSFailure.Reason?, String)] = [
      (try authority.identity("good", names: ["URI:spiffe://mesh/good"]), nil, ""),
      (nil, .noCertificate, "the client sent no certificate"),
      (try authority.identity("old", days: -2), .expired, "expired 2 days ago: CN=old"),
      (try other.identity("stranger"), .unknownAuthority, "CN=stranger"),
      (try TLSIdentity(certificates: revoked.certificate, key: revoked.key), .revoked, "revoked: CN=revoked"),
    ]
    for mode in [ClientValidation.Mode.require, .request, .observe] {
      let names = try port([server], validation: ClientValidation(mode: mode, trust: strict))
      for (identity, reason, message) in cases {
        for version in TLSVersion.allCases {
          let pair = try Pair(names, try client("a.test", identity: identity) { $0.maximumVersion = version })
          let outcome = try #require(pair.shake())
          let passes = reason == nil || mode == .observe || mode == .request && identity == nil
          #expect(outcome.server == (passes ? .done : .failed), "\(mode) \(message)")
          #expect(pair.server.isPeerVerified == (reason == nil), "\(mode) \(message)")
          if !passes {
            #expect(pair.server.failure?.reason == reason)
            #expect(pair.server.failure?.message.contains(message) == true, "\(pair.server.failure?.message ?? "")")
          }
          if reason == nil { #expect(pair.server.peerCertificate?.spiffeID == "spiffe://mesh/good") }
        }
      }
    }
  }

  @Test func aClientsNameCanBeDemanded() throws {
    var validation = ClientValidation(mode: .require, trust: trust)
    validation.subjects = [.trustDomain("mesh")]
    let names = try port([try authority.identity("s", names: ["DNS:a.test"])], validation: validation)
    let good = try Pair(names, try client("a.test", identity: authority.identity("c", names: ["URI:spiffe://mesh/c"])))
    try good.established()
    let bad = try Pair(names, try client("a.test", identity: authority.identity("d", names: ["URI:spiffe://evil/c"])))
    #expect(try #require(bad.shake()).server == .failed)
    #expect(bad.server.failure?.reason == .wrongName)
  }

  @Test func depthIsLimited() throws {
    let one = try TestAuthority("One", parent: authority)
    var validation = ClientValidation(mode: .require, trust: trust)
    validation.depth = 0
    let names = try port([try authority.identity("s", names: ["DNS:a.test"])], validation: validation)
    let pair = try Pair(names, try client("a.test", identity: one.identity("deep")))
    #expect(try #require(pair.shake()).server == .failed)
  }

  // MARK: Files that are of no use

  @Test func badFilesAreExplained() throws {
    let (a, b) = (try authority.issue("a"), try authority.issue("b"))
    func message(_ certificate: [UInt8], _ key: [UInt8], staple: [UInt8]? = nil) -> String {
      do throws(TLSFault) {
        _ = try TLSIdentity(certificates: certificate, key: key, staple: staple)
        return "fine"
      } catch { return error.message }
    }
    #expect(message(a.certificate, a.key) == "fine")
    #expect(message(a.certificate, b.key) == "the private key does not belong to the certificate CN=a")
    #expect(message([], a.key).contains("no certificate in PEM form"))
    #expect(message(a.key, a.key).contains("no certificate in PEM form"))
    #expect(message(a.certificate, a.certificate).contains("no private key in PEM form"))
    #expect(message(Array(a.certificate.prefix(200)), a.key).contains("cannot read the certificate"))
    #expect(message(a.certificate, a.key, staple: [1, 2, 3]).contains("OCSP"))
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
    #expect(message(a.certificate, Array(locked.utf8)).contains("passphrase"))
    #expect(throws: TLSFault.self) { _ = try TrustStore(authorities: []) }
    #expect(throws: TLSFault.self) { _ = try TrustStore(authorities: a.certificate, revocationLists: a.key) }
    var settings = TLSSettings()
    settings.ciphers = "NONSENSE"
    let identity = try TLSIdentity(certificates: a.certificate, key: a.key)
    #expect(throws: TLSFault.self) { _ = try TLSServerContext(identities: [identity], settings: settings) }
  }

  @Test func certificatesAreRead() throws {
    let issued = try authority.issue("name", names: ["DNS:A.Test", "URI:spiffe://mesh/x", "IP:10.0.0.1"])
    let info = try TLSIdentity(certificates: issued.certificate, key: issued.key).certificate
    #expect(info.subject == "CN=name")
    #expect(info.issuer == "CN=Test CA")
    #expect(info.serial == issued.serial)
    #expect(info.dnsNames == ["a.test"])
    #expect(info.spiffeID == "spiffe://mesh/x")
    #expect(info.names == ["a.test", "spiffe://mesh/x", "10.0.0.1"])
    #expect(info.digest.count == 64)
    #expect(info.pem.hasPrefix("-----BEGIN CERTIFICATE-----"))
    #expect(info.notAfter - info.notBefore == 30 * 86_400)
  }

  @Test func nothingLeaks() throws {
    let names = try port([try authority.identity("s", names: ["DNS:a.test"])])
    let context = try client("a.test")
    let before = TLSSession.live
    do {
      let pairs = try (0..<50).map { _ in try Pair(names, context) }
      for pair in pairs { try pair.established() }
      #expect(TLSSession.live >= before + 100 - 50)
    }
    withExtendedLifetime((names, context)) {}
  }
}
