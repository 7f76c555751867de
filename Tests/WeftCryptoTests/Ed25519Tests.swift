import Testing
import WeftCrypto

@Suite struct Ed25519Tests {
  /// A private key around the seed of a test of RFC 8032 section 7.1, as PKCS #8 (RFC 8410).
  private func key(seed: String) throws -> Ed25519.SigningKey {
    let der = try #require(bytes("302e020100300506032b657004220420" + seed))
    return try Ed25519.SigningKey(
      pem: Array("-----BEGIN PRIVATE KEY-----\n\(base64(der))\n-----END PRIVATE KEY-----\n".utf8))
  }

  private func bytes(_ hex: String) -> [UInt8]? {
    let digits = hex.compactMap(\.hexDigitValue)
    guard digits.count == hex.count, digits.count % 2 == 0 else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  private func base64(_ bytes: [UInt8]) -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for i in 0..<4 { text.append(i <= group.count ? letters[bits >> (18 - 6 * i) & 63] : "=") }
    }
    return text
  }

  /// Tests 1 to 3 of RFC 8032 section 7.1.
  @Test(arguments: [
    (
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    ),
    (
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ),
    (
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    ),
  ])
  func theVectorsOfTheRFC(_ seed: String, _ publicKey: String, _ message: String, _ signature: String) throws {
    let key = try key(seed: seed)
    #expect(key.verifyingKey.der.hexText == "302a300506032b6570032100" + publicKey)
    let message = try #require(bytes(message))
    #expect(try key.sign(message).hexText == signature)
    let made = try #require(bytes(signature))
    #expect(key.verifyingKey.isValid(signature: made, for: message))
    #expect(!key.verifyingKey.isValid(signature: made, for: message + [0]))
  }

  @Test func keysSurviveTheirFiles() throws {
    let key = try Ed25519.SigningKey.generate()
    let again = try key.withPEM { try Ed25519.SigningKey(pem: Array($0)) }
    #expect(again.verifyingKey.der == key.verifyingKey.der)
    let pem = key.publicPEM
    #expect(pem.hasPrefix("-----BEGIN PUBLIC KEY-----\n") && pem.hasSuffix("-----END PUBLIC KEY-----\n"))
    let publicKey = try Ed25519.VerifyingKey(pem: Array(pem.utf8))
    #expect(try publicKey.isValid(signature: again.sign([1, 2, 3]), for: [1, 2, 3]))
  }

  @Test func everyBitOfASignatureCounts() throws {
    let key = try Ed25519.SigningKey.generate()
    let signature = try key.sign([7])
    for i in signature.indices {
      var wrong = signature
      wrong[i] ^= 1
      #expect(!key.verifyingKey.isValid(signature: wrong, for: [7]))
    }
    #expect(!key.verifyingKey.isValid(signature: Array(signature.dropLast()), for: [7]))
    #expect(!key.verifyingKey.isValid(signature: [], for: [7]))
    #expect(try !Ed25519.SigningKey.generate().verifyingKey.isValid(signature: signature, for: [7]))
  }

  @Test func whatIsNoKey() throws {
    let key = try Ed25519.SigningKey.generate()
    let privatePEM = try key.withPEM { Array($0) }
    let publicPEM = Array(key.publicPEM.utf8)
    #expect(reason { try Ed25519.VerifyingKey(pem: privatePEM) }.contains("this is a private key"))
    #expect(reason { try Ed25519.SigningKey(pem: publicPEM) }.contains("this is a public key"))
    #expect(reason { try Ed25519.VerifyingKey(pem: []) }.contains("there is no"))
    #expect(
      reason { try Ed25519.VerifyingKey(pem: [UInt8](repeating: 65, count: Ed25519.pemLimit + 1)) }.contains("too long")
    )
    for text in [
      "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "-----BEGIN PUBLIC KEY-----\nMCow",
      String(decoding: publicPEM, as: UTF8.self).replacing("MCow", with: "MCox"),
    ] {
      #expect(reason { try Ed25519.VerifyingKey(pem: Array(text.utf8)) }.hasPrefix("cannot read the public key"))
    }
    // P-256, of which nobody has the private half.
    let other = """
      -----BEGIN PUBLIC KEY-----
      MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdZ6TesXorb3pRfEgFO27/mEcAU1A
      7GLf8Vylte2kOYgiG+FiUJgUU5NRMmqWFZ1t220G5MqEPuSxNRTf3LSTXw==
      -----END PUBLIC KEY-----
      """
    #expect(reason { try Ed25519.VerifyingKey(pem: Array(other.utf8)) }.contains("another algorithm"))
  }

  /// OpenSSL would ask for a passphrase at the terminal.
  @Test func anEncryptedKeyIsRefused() {
    let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n-----END ENCRYPTED PRIVATE KEY-----\n"
    #expect(reason { try Ed25519.SigningKey(pem: Array(text.utf8)) }.contains("it is encrypted"))
  }

  private func reason(_ body: () throws -> some Any) -> String {
    do {
      _ = try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }
}
