import Foundation

/// The archives in Tests/Corpus/bundles, which make.py there writes from the description of the format alone.
enum ArchiveCorpus {
  struct File: Sendable, CustomStringConvertible {
    let name: String
    let bytes: [UInt8]
    /// A good one's digest; what is said about a bad one.
    let expected: String

    var description: String { name }
  }

  static let good = files("good", "digests.txt", separator: " ")
  static let bad = files("bad", "reasons.txt", separator: ": ")

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Corpus/bundles")

  private static func files(_ kind: String, _ list: String, separator: String) -> [File] {
    let folder = folder.appendingPathComponent(kind)
    guard let text = try? String(contentsOf: folder.appendingPathComponent(list), encoding: .utf8) else { return [] }
    return text.split(separator: "\n").compactMap { line in
      guard let range = line.range(of: separator) else { return nil }
      let name = String(line[..<range.lowerBound])
      guard let data = try? Data(contentsOf: folder.appendingPathComponent("\(name).weft")) else { return nil }
      return File(name: name, bytes: Array(data), expected: String(line[range.upperBound...]))
    }
  }
}
