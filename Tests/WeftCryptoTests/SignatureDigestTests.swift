import Foundation
import Testing
import WeftCrypto
import WeftIO

@Suite("Signatures over a digest") struct SignatureDigestTests {
  // Made with openssl: genpkey, pkey -pubout -outform DER, dgst -sign over "hello world".
  private static let rsaKey =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA6FS9D7gg9WLWYSSYoGkZvmHrZHtjb21cbGjGxb949l7f3dX4wnTU"
    + "jemhjOtrvsYvugkm2SjTZ1VpTRMYSdc5CTVt4OohaH1hYpuVM8aCJbZbBU81KY7a/DRU5iroDAQjStv0DDIB/sKf/bDq0XeF"
    + "tlg+gx43wj7UvdxKKtIdkTCduONKIRqEB+eNZE508xMfTfXzam64WTOAGgGDam2ryHWqLU4hyjPCYPBpay+H0GA+Qw9/P9KG"
    + "MRlfIdIofgZ3357ry9oOjZKVmRt9G0IMn03GNwAPoFOGy4qrfbuSD11+NNw413w+3lC7BOOwTZII3vqnW01uN+ao6wm+0hOL"
    + "SQIDAQAB"
  private static let rsaSignatures: [(SignatureDigest, String)] = [
    (
      .sha1,
      "hGLU/QLnPkml1GxqOzdC/SatUHxu/wBg+oEvo/uYV15bxCPwQbZrOYhSU7oogoKd/JQhIlFnoTORdm+UbrvAIOBNc9ZRXZ8u"
        + "0Dp2DMG3dUABgdPvic0yuplZub+tVxZLgbAtD+Q0x+JCSijGgA8V6tckys32Qe9b08Gk2qMnsSTMF1gPtEkdZSHIw5I7guOA"
        + "MeZ9PfM6sCtM+E0t6Wg7mxbfyjjX+fLCmSPFIog9vokBkIevN+qv5s+5ThFLH9YqtjidIME++KaAaCutvLsHvOisjkqbdlnb"
        + "6F2P9DiBl/IxfD43uR/ijVMOAqV+qzqlIknsyavy3hdU5E5QFynvYA=="
    ),
    (
      .sha224,
      "u02zWxLixIlBGbXYafSdExh/FN5Z6FvpSvDqEkmQNRO+VX8jbwJpCOvYG0kT+GtR1BawKl6kbh+W0a+9VAbyCZRvrox1Khe6"
        + "5NSK7oKqyjyFV9oKNYlImcZ4phONeaOVXWBWaFKsMVxHB1FY2c/GnHGciIdXtMHhMyOA6b9SV8chG0eXrWdMVb+a1liugOVZ"
        + "n0gA5fjuJVqFwe+5lkeeQZK5H0Z3q9qshCFAVD1hnhPsriUqDz/w2MjpWHLyrypefs+Eee+pqGWgEGy/rHTDB0MW/jtMnt3R"
        + "GuI8jClUru+E4kzEVVtNELFTIKXBQ2JdZgJSg90zC8K1LtFlP/REFg=="
    ),
    (
      .sha256,
      "1159121ehswWzszEODlOpt5Mw6HwVCwWxSIKxfhR5FjyQZdIWh6oQSgTOhAABAb9jOL98sce2aqTFHmaoXhIsbDnnbKFRhuX"
        + "wTt6p1fR7ueG1bPZm3sxn4nvOn/PEMR5lstzfVrPkggvyKkVqscYDyqHpOaNtzE7E2Cn9Ylww5MP316JuUTY1p+Ge8n8mSvF"
        + "uafG2IYhQaqGaUyD3GclqHqoTxdYoARj0YCT6VJ5FEtpgnra1Dk4kHXIoYvXwnmoME1/d91ctIiaGrHDXNdHss4CFNIJQjI0"
        + "KyHk623dYmC6iYohcr4JCWvm4cIBN6RQ6vsBUY5UfslR2JGaO7qC1Q=="
    ),
    (
      .sha384,
      "xPZLHlPb5e6Leuzczae1yWBys8iBBvMMrFOKlg50h6e0Szbhh+BjvG5eu5f2kbqEzEhZOxATbnaf1RhU7ZHbBXwwH52Gdvpp"
        + "iNtSgVdh308MziS0ra2apUPIOWBalaR20ROotTpyeTbqUBhm8ZN+UwwA2yv8wF7xgT5kO6x+e+CrcCJDrLp1BswHm3VKBF4P"
        + "9vg+l00/F5HJzb6BQ8rtQejSeEkniYUOCLlO1Sq7/aCxqIOjeW8SfAEmB/QP7AKfk4xIIJQrjfaznBRxouoV29nZ5yOBjEkj"
        + "y0VN8BNl3M/TgDT/RRcRZDqcqc/VxDp3IwgQ6WE9HNCEvbqwf7AT5g=="
    ),
    (
      .sha512,
      "iF+IBFARXTCj7fSHUHmHMSxcRpYf1+j4DhwfJ8u1RLRhtT3nwTPl/dpNUj8vbKMzqpgyzn9UWy8zhN8/wOy+UuDxIkeiMHag"
        + "/0VFA3QHLQrNuhDZHpD0zMJayMLiQUUdlcVfMkLwMM71E/VWk3TB31BgYFNwC9KZByGBSVw0YCa9N2XIauQ/p/OK/I4SMFEf"
        + "f49xkGbbv04OwKsvtj8HrL9J64027H0HniwdxLrBA8pRGFNxhqXB+pqmf1aQPz91SU/BygdlpCJjHQ43PHCW9LrE3Bj2XGxu"
        + "3VtxmDnQRmDwZhOnvKBbvq7AGJnruAmObPlWxkN8t+Z8uVVQ4bEg2Q=="
    ),
  ]
  private static let ecKey =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEE80uB8yEW3MF83YcRAIkSCsqja40c01lGNlhq2IDDO7cL0XYcjwGtR5YhyG8"
    + "vqSekqH/jpmwQqOc6LJJCmbRyA=="
  private static let ecSignatures: [(SignatureDigest, String)] = [
    (
      .sha1,
      "MEUCIQDltN+jBnbw4EaqxLzra4dnLb3XHFA2XSXAgh7YpNaS5wIgK4Lfc2bjiP4WPzWqdgQJD1YoQ583bOKgi6CWHZD/r3o="
    ),
    (
      .sha224,
      "MEYCIQCdgCrBpauE+j80LQ4b/DVdcBGwLQjHwdPHQTSQTiB2/wIhAI+1xs+Ta19+4pOojJ9AnUyUFLmkxsav5IK107iJH1++"
    ),
    (
      .sha256,
      "MEUCIDv9y/auh1pHvZsHlyFXeQWnyKeRr1FCl22BUnjwiuuRAiEAvVcLLjxx6dbYVBQWN/+qVxuJZ4p8AebhuPLESBezIfI="
    ),
    (
      .sha384,
      "MEYCIQCF3aEp+IcP1BPT40ctkl7pNN7GCtePLx3lVwqkjpC0hwIhAKE2WxHb/shvKa7uyj1ahrYmhEJq3IC/YedIaigAE7yl"
    ),
    (
      .sha512,
      "MEUCIFnPOR/3VWTB+e9MYOK6VhZRO+6FnWpVss1TmGK36hLQAiEAloZ6MdOBp7hx48zO7Ry52bX+hHs7qsMpf8CxktaCYEU="
    ),
  ]
  private static let ed25519Key = "MCowBQYDK2VwAyEAvDIoP7mT6WATleZVHAlUVUQan7abqQ5MXR5kvc38x+E="

  private func bytes(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64) ?? Data()) }

  private func verify(
    _ key: PublicKey, _ signature: [UInt8], _ digest: SignatureDigest, over text: String = "hello world"
  ) -> Bool {
    signature.withUnsafeBufferPointer { signature in
      Array(text.utf8).withUnsafeBufferPointer { data in
        key.verifies(
          signature.baseAddress.map { Bytes($0, signature.count) } ?? Bytes(),
          over: data.baseAddress.map { Bytes($0, data.count) } ?? Bytes(), digest: digest)
      }
    }
  }

  private func key(_ der: [UInt8]) throws -> PublicKey { try der.withUnsafeBytes { try PublicKey($0) } }

  @Test("RSA and EC signatures over each digest are recognised") func right() throws {
    let rsa = try key(bytes(Self.rsaKey))
    for (digest, signature) in Self.rsaSignatures {
      #expect(verify(rsa, bytes(signature), digest), "\(digest)")
      #expect(!verify(rsa, bytes(signature), digest, over: "hello worle"), "\(digest)")
    }
    let ec = try key(bytes(Self.ecKey))
    for (digest, signature) in Self.ecSignatures {
      #expect(verify(ec, bytes(signature), digest), "\(digest)")
      #expect(!verify(ec, bytes(signature), digest, over: ""), "\(digest)")
    }
  }

  @Test("A signature with any byte changed, cut or lengthened is wrong") func wrong() throws {
    let ec = try key(bytes(Self.ecKey))
    let signature = bytes(Self.ecSignatures[0].1)
    for i in signature.indices {
      var changed = signature
      changed[i] ^= 1
      #expect(!verify(ec, changed, Self.ecSignatures[0].0))
      #expect(!verify(ec, Array(signature[..<i]), Self.ecSignatures[0].0))
    }
    #expect(!verify(ec, signature + [0], Self.ecSignatures[0].0))
    #expect(!verify(try key(bytes(Self.rsaKey)), signature, Self.ecSignatures[0].0))
  }

  @Test("A key of Ed25519 makes no such signatures") func otherKeys() throws {
    #expect(!verify(try key(bytes(Self.ed25519Key)), bytes(Self.ecSignatures[0].1), Self.ecSignatures[0].0))
  }

  @Test("Digests are called by name, in upper or lower case") func names() {
    #expect(SignatureDigest(name: Bytes("SHA256")) == .sha256)
    #expect(SignatureDigest(name: Bytes("sha224")) == .sha224)
    #expect(SignatureDigest(name: Bytes("md5")) == nil)
    #expect(SignatureDigest(name: Bytes("")) == nil)
    #expect(SignatureDigest(name: Bytes("sha256-and-more")) == nil)
  }
}
