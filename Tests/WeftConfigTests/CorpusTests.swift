import Glibc
import Testing

@testable import WeftConfig

/// The files of Tests/Corpus/config: manifests as people write them.
enum Corpus {
  static let folder = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Corpus/config"

  static let files: [(name: String, text: String)] = {
    guard case .folder(let folder, let names) = ConfigFile.find(folder) else { return [] }
    return names.compactMap { name in
      (try? ConfigFile.read("\(folder)/\(name)")).map { (name, String(decoding: $0.content, as: UTF8.self)) }
    }
  }()
}

@Suite struct CorpusTests {
  @Test(arguments: Corpus.files.map(\.name))
  func loadsWithoutAnyDiagnostic(name: String) {
    let loaded = ConfigLoader.load(paths: ["\(Corpus.folder)/\(name)"])
    let expected = ["whose traffic no listener takes here", "no RequestAuthentication verifies tokens here"]
    let found = loaded.diagnostics.map(\.description)
    #expect(found.filter { text in !expected.contains { text.contains($0) } } == [])
  }

  @Test func theCorpusIsThere() {
    #expect(Corpus.files.count >= 5)
  }

  /// Mutations of the corpus with a fixed seed: whatever the input, loading ends, and says only sensible things.
  /// `WEFT_FUZZ_ROUNDS` sets how many mutations of each file are tried, and `WEFT_FUZZ_SEED` where they begin.
  @Test(arguments: Corpus.files.map(\.name))
  func mutationsNeverCrash(name: String) throws {
    let rounds = getenv("WEFT_FUZZ_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 120
    let seed = getenv("WEFT_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
    let original = try #require(Corpus.files.first { $0.name == name }).text
    var mutator = Mutator(seed: seed, others: Corpus.files.map { Array($0.text.utf8) })
    for round in 0..<rounds {
      let bytes = mutator.mutate(Array(original.utf8))
      let file = round % 4 == 3 ? "fuzz.json" : round % 4 == 2 ? name : "fuzz.yaml"
      let documents = ConfigDocuments(parsing: bytes, file: file)
      check(documents.diagnostics, bytes)
      for root in documents.roots {
        let json = root.json
        let again = ConfigDocuments(parsing: json, file: "again.json")
        #expect(again.diagnostics.isEmpty && again.roots.first?.json == json, "seed \(seed), round \(round)")
      }
      let text = String(decoding: bytes, as: UTF8.self)
      let loaded = ConfigLoader.load(text: text, file: file)
      check(loaded.diagnostics, Array(text.utf8))
      for route in loaded.resources.httpRoutes.all { _ = loaded.resources.attachments(of: route) }
      if !loaded.hasErrors {
        #expect(ConfigLoader.load(text: text, file: file).resources == loaded.resources)
      }
    }
  }

  private func check(_ diagnostics: [Diagnostic], _ bytes: [UInt8]) {
    // Beside line feeds, YAML breaks lines at carriage returns and, in version 1.1, at three more characters.
    let breaks = bytes.reduce(0) { $1 == 0x0a || $1 == 0x0d || $1 == 0x85 || $1 == 0xa8 || $1 == 0xa9 ? $0 + 1 : $0 }
    for diagnostic in diagnostics {
      #expect(!diagnostic.message.isEmpty && diagnostic.message.utf8.count < 4000)
      #expect((0...(breaks + 2)).contains(diagnostic.location.line), "\(diagnostic)")
      #expect(ConfigDocuments(parsing: diagnostic.json, file: "d.json").diagnostics.isEmpty, "\(diagnostic.json)")
    }
  }
}

/// Changes text in ways that parsers and validators find hard.
struct Mutator {
  private var state: UInt64
  private let others: [[UInt8]]

  private static let tokens: [String] = [
    "&a ", "*a", "<<: *a", "!!str ", "!x ", "? ", "- ", ": ", "{", "}", "[", "]", ",", "\"", "'", "|", ">", "#", "%",
    "---\n", "...\n", "\t", "\r\n", "\u{feff}", "\u{0}", "null", "~", "true", "-1", "0", "65536", "1e999",
    "99999999999999999999", ".nan", "0x", "\\u0000", "\\ud800", "\"\\", "é", "\u{2028}", "\u{10ffff}", "((((", "(?P<",
    "(a+)+$", "*", "*.", "//", "/../", "%2f", "::", "[::1]:80", "unix:/", "1h1h1h1h1h", "a: &a [*a]\n", "kind: List\n",
  ]

  init(seed: UInt64, others: [[UInt8]]) {
    state = seed
    self.others = others
  }

  /// SplitMix64.
  private mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  private mutating func below(_ bound: Int) -> Int { bound <= 0 ? 0 : Int(next() % UInt64(bound)) }

  mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for _ in 0...below(4) { change(&bytes) }
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let at = below(bytes.count + 1)
    switch below(9) {
    case 0: if at < bytes.count { bytes[at] ^= 1 << UInt8(below(8)) }
    case 1: if at < bytes.count { bytes[at] = UInt8(truncatingIfNeeded: next()) }
    case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(40)))
    case 3: bytes.insert(contentsOf: Mutator.tokens[below(Mutator.tokens.count)].utf8, at: at)
    case 4: bytes.removeSubrange(at...)
    case 5:
      let other = others[below(others.count)]
      let from = below(other.count)
      bytes.insert(contentsOf: other[from..<min(other.count, from + below(200))], at: at)
    case 6: replaceWord(&bytes, at)
    case 7: changeLines(&bytes)
    default:
      let opener: [UInt8] = [0x5b, 0x7b, 0x2d, 0x20]
      bytes.insert(contentsOf: [UInt8](repeating: opener[below(4)], count: below(300)), at: at)
    }
  }

  /// Puts a token in the place of the word at `at`.
  private mutating func replaceWord(_ bytes: inout [UInt8], _ at: Int) {
    let isWord: (UInt8) -> Bool = { Character(Unicode.Scalar($0)).isLetter || Character(Unicode.Scalar($0)).isNumber }
    var start = min(at, max(bytes.count - 1, 0))
    while start > 0, isWord(bytes[start - 1]) { start -= 1 }
    var end = start
    while end < bytes.count, isWord(bytes[end]) { end += 1 }
    bytes.replaceSubrange(start..<end, with: Mutator.tokens[below(Mutator.tokens.count)].utf8)
  }

  /// Repeats, drops, swaps or indents a line.
  private mutating func changeLines(_ bytes: inout [UInt8]) {
    var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).map(Array.init)
    let line = below(lines.count)
    switch below(4) {
    case 0: lines.insert(lines[line], at: line)
    case 1: lines.remove(at: line)
    case 2: lines.swapAt(line, below(lines.count))
    default: lines[line].insert(0x20, at: 0)
    }
    bytes = Array(lines.joined(separator: [0x0a]))
  }
}
