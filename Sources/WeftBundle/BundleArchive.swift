/// The canonical archive of a bundle: a POSIX ustar archive (IEEE Std 1003.1, pax, "ustar Interchange Format") of which
/// every byte follows from the paths and contents of the files, so that the same content is the same archive on any
/// machine. docs/bundles.md describes it byte for byte.
public enum BundleArchive {
  /// Why bytes are no canonical archive.
  public struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where in the archive, in bytes.
    public let offset: Int
    public let description: String
  }

  static let block = 512
  /// Bytes of the largest archive: each file with a header and padding, and the end.
  public static let sizeLimit = Bundle.Limits.totalBytes + Bundle.Limits.files * 2 * block + 2 * block

  // MARK: Writing

  /// The archive of `files`, which are in the order of their paths and obey `BundleLayout` and `Bundle.Limits`.
  static func write(_ files: [Bundle.Source]) -> [UInt8] {
    var archive: [UInt8] = []
    archive.reserveCapacity(files.reduce(2 * block) { $0 + 2 * block + $1.text.count })
    for file in files {
      archive += header(path: file.path, size: file.text.count)
      archive += file.text
      archive += [UInt8](repeating: 0, count: padding(file.text.count))
    }
    return archive + [UInt8](repeating: 0, count: 2 * block)
  }

  /// The bytes that fill a file's last block.
  private static func padding(_ size: Int) -> Int { (block - size % block) % block }

  /// The one header that a file of that path and size has.
  private static func header(path: String, size: Int) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: block)
    func put(_ text: String, at offset: Int) {
      for (i, byte) in text.utf8.enumerated() { header[offset + i] = byte }
    }
    put(path, at: 0)
    put("0000644", at: 100)  // mode
    put("0000000", at: 108)  // uid
    put("0000000", at: 116)  // gid
    put(octal(size, digits: 11), at: 124)
    put("00000000000", at: 136)  // mtime
    put("        ", at: 148)  // stands for the checksum while it is computed
    put("0", at: 156)  // a regular file
    put("ustar\u{0}00", at: 257)
    put("0000000", at: 329)  // devmajor
    put("0000000", at: 337)  // devminor
    let sum = header.reduce(0) { $0 + Int($1) }
    put(octal(sum, digits: 6) + "\u{0} ", at: 148)
    return header
  }

  private static func octal(_ number: Int, digits: Int) -> String {
    let text = String(number, radix: 8)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }

  // MARK: Reading

  /// The files of an archive.
  /// - Throws: `Fault` unless the bytes are exactly those that `write` gives for files that a bundle may hold.
  static func read(_ archive: [UInt8]) throws(Fault) -> [Bundle.Source] {
    guard archive.count <= sizeLimit else {
      throw Fault(offset: sizeLimit, description: "is longer than \(sizeLimit) bytes")
    }
    guard archive.count >= 2 * block, archive.count % block == 0 else {
      throw Fault(offset: archive.count, description: "is no ustar archive, or a part of one is missing")
    }
    var files: [Bundle.Source] = []
    var collisions = PathCollisions()
    var total = 0
    var at = 0
    while true {
      guard at + block <= archive.count else {
        throw Fault(offset: at, description: "ends without the two blocks of zeros that an archive ends with")
      }
      if archive[at..<at + block].allSatisfy({ $0 == 0 }) { break }
      let (path, size) = try entry(archive, at)
      func fault(_ message: String) -> Fault { Fault(offset: at, description: "\"\(path)\" \(message)") }
      if let last = files.last?.path, !BundleLayout.precedes(last, path) {
        throw fault(last == path ? "is there twice" : "comes after \"\(last)\"; files are in the order of their paths")
      }
      if let other = collisions.insert(path) {
        throw fault("cannot lie beside \"\(other)\" on every file system")
      }
      guard files.count < Bundle.Limits.files else {
        throw fault("is one file too many; \(Bundle.Limits.files) are allowed")
      }
      guard size <= Bundle.Limits.fileBytes else { throw fault("has more than \(Bundle.Limits.fileBytes) bytes") }
      total += size
      guard total <= Bundle.Limits.totalBytes else {
        throw fault("makes the bundle larger than \(Bundle.Limits.totalBytes) bytes")
      }
      let (start, end) = (at + block, at + block + size)
      let next = end + padding(size)
      guard next <= archive.count else { throw fault("is cut off") }
      guard archive[end..<next].allSatisfy({ $0 == 0 }) else { throw fault("is followed by other bytes than zeros") }
      files.append(Bundle.Source(path: path, text: Array(archive[start..<end])))
      at = next
    }
    guard at + 2 * block <= archive.count, archive[at..<at + 2 * block].allSatisfy({ $0 == 0 }) else {
      throw Fault(offset: at, description: "ends without the two blocks of zeros that an archive ends with")
    }
    guard at + 2 * block == archive.count else {
      throw Fault(offset: at + 2 * block, description: "goes on after its end")
    }
    return files
  }

  /// The path and size that the header at `at` gives.
  private static func entry(_ archive: [UInt8], _ at: Int) throws(Fault) -> (path: String, size: Int) {
    func field(_ offset: Int, _ length: Int) -> ArraySlice<UInt8> {
      archive[at + offset..<at + offset + length].prefix { $0 != 0 }
    }
    guard field(257, 6).elementsEqual("ustar".utf8) else {
      throw Fault(offset: at, description: "holds no ustar header here")
    }
    guard let path = String(validating: field(0, 100), as: UTF8.self) else {
      throw Fault(offset: at, description: "has a name that is no text")
    }
    func fault(_ message: String) -> Fault {
      Fault(offset: at, description: "\"\(BundleLayout.shown(path))\" \(message)")
    }
    // What it is comes first: a link or a folder is refused as such, whatever it is called.
    if let kind = kinds[archive[at + 156]] { throw fault("is \(kind); a bundle holds regular files alone") }
    if let problem = BundleLayout.problem(path) { throw fault(problem) }
    let digits = field(124, 12)
    guard digits.count == 11, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 8 }) else {
      throw fault("has a size that is not 11 octal digits")
    }
    let size = digits.reduce(0) { $0 << 3 | Int($1 - UInt8(ascii: "0")) }
    guard archive[at..<at + block].elementsEqual(header(path: path, size: size)) else {
      throw fault("has a header that is not the canonical one; pack the bundle with \"weft bundle pack\"")
    }
    return (path, size)
  }

  private static let kinds: [UInt8: String] = [
    UInt8(ascii: "1"): "a link", UInt8(ascii: "2"): "a symbolic link", UInt8(ascii: "3"): "a device",
    UInt8(ascii: "4"): "a device", UInt8(ascii: "5"): "a folder", UInt8(ascii: "6"): "a named pipe",
    UInt8(ascii: "S"): "a sparse file",
    UInt8(ascii: "x"): "an extended header", UInt8(ascii: "g"): "an extended header",
    UInt8(ascii: "L"): "an extended header", UInt8(ascii: "K"): "an extended header",
  ]
}
