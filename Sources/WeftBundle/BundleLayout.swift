/// Which files a bundle holds, and how they may be called: the same rules for folders and archives, so that a bundle has
/// the same content, and the same digest, in either form.
public enum BundleLayout {
  /// The signatures of a bundle that is a folder, beside its manifest. No part of the content that is signed.
  public static let signatureFile = "bundle.sig"
  /// How the names of archives end.
  public static let archiveSuffix = ".weft"

  /// Bytes of a path.
  static let pathLimit = 100

  private static let suffixes = [".lua", ".md", ".txt", ".json", ".yaml", ".yml"]
  private static let names = ["LICENSE", "NOTICE"]

  /// Whether a file of that name is part of a bundle: the manifest, Lua, documentation, and data for tests. Keys, programs
  /// and whatever else may lie in a folder are not.
  static func isPart(_ path: String) -> Bool {
    guard let name = path.split(separator: "/").last.map(String.init) else { return false }
    return names.contains(name) || suffixes.contains { name.hasSuffix($0) && name.utf8.count > $0.utf8.count }
  }

  /// Whether a script can load the file: Lua, and no test.
  static func isSource(_ path: String) -> Bool { path.hasSuffix(".lua") && !isTest(path) }

  /// Whether the file belongs to the tests.
  static func isTest(_ path: String) -> Bool { path.hasPrefix("tests/") }

  /// What is wrong with a file's path; nil when nothing is. Paths are relative, with `/` between their parts, and each part
  /// means the same on every file system.
  static func problem(_ path: String) -> String? {
    if path.isEmpty { return "has no name" }
    if path.utf8.first == UInt8(ascii: "/") { return "is an absolute path; paths are relative to the bundle" }
    if path.utf8.count > pathLimit { return "is longer than \(pathLimit) bytes" }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    if parts.count > Bundle.Limits.depth + 1 { return "lies deeper than \(Bundle.Limits.depth) folders" }
    for part in parts {
      if part.isEmpty { return "has an empty part" }
      if part == "." || part == ".." { return "has the part \"\(part)\", which leads elsewhere" }
      if part.utf8.first == UInt8(ascii: ".") { return "has a hidden part" }
      guard part.utf8.first != UInt8(ascii: "-"), part.utf8.last != UInt8(ascii: "."), part.utf8.allSatisfy(isPlain)
      else {
        return "has an odd name; use letters, digits, \"-\", \"_\" and \".\", with no \"-\" first and no \".\" last"
      }
    }
    if !isPart(path) { return "is no file that a bundle holds" }
    return nil
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  /// A path as messages show it: what a terminal would obey made visible.
  static func shown(_ path: String) -> String {
    path.unicodeScalars.map { scalar in
      scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        ? "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16) : String(scalar)
    }.joined()
  }

  /// The order of files in a bundle: that of their paths' bytes.
  static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}

/// Finds paths that some file system would take for one and the same: names that differ only in case, and a file where
/// another path needs a folder.
struct PathCollisions {
  /// What each file or folder is called, by its name in lower case; a folder's ends in `/`.
  private var spelling: [String: String] = [:]

  /// Takes a path in.
  /// - Returns: the path that it collides with, or nil.
  mutating func insert(_ path: String) -> String? {
    var at = path.startIndex
    while let slash = path[at...].firstIndex(of: "/") {
      if let other = note(String(path[..<slash]), isFolder: true) { return other }
      at = path.index(after: slash)
    }
    return note(path, isFolder: false)
  }

  private mutating func note(_ path: String, isFolder: Bool) -> String? {
    let shown = isFolder ? path + "/" : path
    guard let known = spelling.updateValue(shown, forKey: path.lowercased()) else { return nil }
    return isFolder && known == shown ? nil : known
  }
}
