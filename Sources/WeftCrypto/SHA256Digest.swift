/// A SHA-256 digest (FIPS 180-4) that identifies content: of a bundle's archive, or of a public key.
public struct SHA256Digest: Sendable, Hashable, CustomStringConvertible {
  /// 32 bytes.
  public let bytes: [UInt8]

  /// The digest of `content`.
  /// - Throws: `CryptoError` when there is no memory, or OpenSSL lacks the algorithm.
  public init(of content: [UInt8]) throws(CryptoError) {
    let digest = try Digest(.sha256)
    var failure: CryptoError?
    var bytes = [UInt8](repeating: 0, count: Digest.Algorithm.sha256.length)
    content.withUnsafeBytes { input in
      bytes.withUnsafeMutableBytes { output in
        do throws(CryptoError) {
          try digest.update(input)
          _ = try digest.finish(into: output)
        } catch {
          failure = error
        }
      }
    }
    if let failure { throw failure }
    self.bytes = bytes
  }

  /// Reads `sha256:` and 64 lower-case hexadecimal digits; nil when `text` is nothing else.
  public init?(_ text: String) {
    guard text.hasPrefix(Self.prefix) else { return nil }
    let digits = text.utf8.dropFirst(Self.prefix.utf8.count)
    guard digits.count == 64 else { return nil }
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in digits {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      default: return nil
      }
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    self.bytes = bytes
  }

  /// `sha256:` and 64 lower-case hexadecimal digits.
  public var description: String { Self.prefix + bytes.hexText }

  private static let prefix = "sha256:"
}

extension Sequence<UInt8> {
  /// Two lower-case hexadecimal digits a byte.
  public var hexText: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in self {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
