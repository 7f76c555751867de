import Testing
import WeftCrypto

@Suite struct SHA256DigestTests {
  /// FIPS 180-4's own examples.
  @Test(arguments: [
    ("", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
  ])
  func ofContent(_ text: String, _ digest: String) throws {
    let made = try SHA256Digest(of: Array(text.utf8))
    #expect(made.description == digest)
    #expect(SHA256Digest(digest) == made)
  }

  @Test(arguments: [
    "", "sha256:", "sha256:ba78", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
    "sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
    "sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  ])
  func whatIsNone(_ text: String) { #expect(SHA256Digest(text) == nil) }
}
