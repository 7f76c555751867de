import Crypto
import Foundation

/// Archives of bundles, addressed by the SHA-256 of their bytes: files `sha256/HEX` of a folder, their signatures beside
/// them in `sha256/HEX.sig`.
public struct BlobStore: Sendable {
  /// Why a blob cannot be had.
  public enum Failure: Error, Sendable, CustomStringConvertible {
    case missing(String)
    /// What lies under that name is something else.
    case damaged(String)
    case unreadable(String)

    public var description: String {
      switch self {
      case .missing(let digest): "nobody has pushed \(digest)"
      case .damaged(let digest): "the file of \(digest) is damaged: push the bundle again"
      case .unreadable(let text): text
      }
    }
  }

  /// Bytes of an archive: above what a bundle can have.
  public static let maxLength = 64 << 20
  static let maxSignatures = 64 << 10

  public let folder: String

  public init(folder: String) { self.folder = folder }

  /// The file of a digest; nil when the text is no `sha256:HEX`: nothing else becomes a path.
  public func path(of digest: String) -> String? {
    guard digest.hasPrefix("sha256:") else { return nil }
    let hex = digest.dropFirst(7)
    guard hex.utf8.count == 64, hex.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
      return nil
    }
    return "\(folder)/sha256/\(hex)"
  }

  /// The archive, whose digest was found right, and its signatures as `weft bundle sign` writes them, if there are any.
  public func read(_ digest: String) throws(Failure) -> (archive: [UInt8], signatures: [UInt8]?) {
    guard let path = path(of: digest) else { throw .missing(String(digest.prefix(100))) }
    guard let archive = try Self.file(path, limit: Self.maxLength) else { throw .missing(digest) }
    guard Self.digest(of: archive) == digest else { throw .damaged(digest) }
    return (archive, try Self.file(path + ".sig", limit: Self.maxSignatures))
  }

  /// The signatures of an archive, if there are any.
  public func signatures(_ digest: String) throws(Failure) -> [UInt8]? {
    guard let path = path(of: digest) else { throw .missing(String(digest.prefix(100))) }
    return try Self.file(path + ".sig", limit: Self.maxSignatures)
  }

  /// `sha256:HEX`
  static func digest(of bytes: [UInt8]) -> String {
    "sha256:" + SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// nil when there is no such file.
  private static func file(_ path: String, limit: Int) throws(Failure) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw .unreadable("cannot read \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .unreadable("cannot read \(path): \(String(cString: strerror(errno)))")
    }
    guard status.st_size <= limit else {
      throw .unreadable("\(path) has \(status.st_size) bytes; at most \(limit) are read")
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    while done < bytes.count {
      let left = bytes.count - done
      let count = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(descriptor, buffer.baseAddress.map { $0 + done }, left)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw .unreadable("cannot read \(path) to its end") }
      done += count
    }
    return bytes
  }
}
