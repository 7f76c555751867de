import Testing
import WeftConfig

import class Foundation.Pipe
import class Foundation.Process
import struct Foundation.URL

@testable import WeftBundle

@Suite struct ArchiveTests {
  private func failure(_ archive: [UInt8]) -> String? {
    do throws(ConfigError) {
      _ = try Bundle(archive: archive, place: "a.weft")
      return nil
    } catch {
      return error.description
    }
  }

  @Test func theCorpusIsThere() {
    #expect(ArchiveCorpus.good.count > 4)
    #expect(ArchiveCorpus.bad.count > 60)
  }

  /// Written by other code, from the description of the format.
  @Test(arguments: ArchiveCorpus.good) func goodOnesAreReadAndWrittenTheSame(_ file: ArchiveCorpus.File) throws {
    let bundle = try Bundle(archive: file.bytes, place: "a.weft")
    #expect(bundle.archive == file.bytes)
    #expect(bundle.digest.description == file.expected)
    #expect(bundle.isArchive && bundle.place == "a.weft" && bundle.signaturePath == "a.weft.sig")
  }

  @Test(arguments: ArchiveCorpus.bad) func badOnesAreRefused(_ file: ArchiveCorpus.File) throws {
    let message = try #require(failure(file.bytes))
    #expect(message.hasPrefix("a.weft"))
    #expect(message.contains(file.expected), "\(message)")
    #expect(message.utf8.allSatisfy { $0 != 0x1b }, "a name must not reach a terminal")
  }

  @Test(arguments: ArchiveCorpus.good + ArchiveCorpus.bad) func propertiesHold(_ file: ArchiveCorpus.File) {
    #expect(ArchiveProperties.violation(of: file.bytes) == nil)
  }

  /// Every change of one byte of an archive is noticed, or is a change of content, which the digest shows.
  @Test func noByteIsIdle() throws {
    let file = try #require(ArchiveCorpus.good.first { $0.name == "minimal" })
    for i in file.bytes.indices {
      var changed = file.bytes
      changed[i] ^= 0x20
      guard let files = try? BundleArchive.read(changed) else { continue }
      #expect(BundleArchive.write(files) == changed)
    }
  }

  /// The fuzzer's properties over mutations of the corpus, the same in every run.
  @Test(arguments: 0..<8) func mutationsOfTheCorpus(_ part: Int) {
    var random = SplitMix(state: UInt64(part))
    let files = (ArchiveCorpus.good + ArchiveCorpus.bad).map(\.bytes).filter { $0.count < 8192 }
    for _ in 0..<200 {
      var input = files[random.below(files.count)]
      for _ in 0...random.below(4) {
        let at = random.below(input.count + 1)
        let end = min(input.count, at + random.below(600))
        switch random.below(6) {
        case 0: if at < input.count { input[at] = UInt8(truncatingIfNeeded: random.next()) }
        case 1: input.removeSubrange(at / 512 * 512..<min(input.count, end / 512 * 512 + 512))
        case 2: input.insert(contentsOf: input[at..<end], at: at / 512 * 512)
        case 3: input.insert(contentsOf: [UInt8](repeating: 0, count: 512), at: at / 512 * 512)
        case 4: input += files[random.below(files.count)]
        default: input.replaceSubrange(at..<end, with: "../x.lua".utf8)
        }
      }
      let violation = ArchiveProperties.violation(of: input)
      #expect(violation == nil, "\(input)")
      if violation != nil { return }
    }
  }

  @Test func whatIsTooMuchIsRefused() throws {
    func source(_ path: String, _ count: Int = 0) -> Bundle.Source {
      Bundle.Source(path: path, text: [UInt8](repeating: 0x2d, count: count))
    }
    func fault(_ files: [Bundle.Source]) -> String? {
      do throws(BundleArchive.Fault) {
        _ = try BundleArchive.read(BundleArchive.write(files))
        return nil
      } catch {
        return error.description
      }
    }
    #expect(fault((0..<512).map { source("a\($0 + 1000).lua") }) == nil)
    #expect(fault((0..<513).map { source("a\($0 + 1000).lua") })?.contains("one file too many") == true)
    #expect(fault([source("a.lua", 1 << 20)]) == nil)
    #expect(fault([source("a.lua", (1 << 20) + 1)]) == "\"a.lua\" has more than 1048576 bytes")
    #expect(fault((0..<8).map { source("a\($0).lua", 1 << 20) }) == nil)
    #expect(
      fault((0..<8).map { source("a\($0).lua", 1 << 20) } + [source("b.lua", 1)])?.contains("larger than 8388608 bytes")
        == true)
    let endless = [UInt8](repeating: 0, count: BundleArchive.sizeLimit + 512)
    #expect(failure(endless)?.contains("is longer than") == true)
  }

  /// As docs/bundles.md says, so that other tools can make one.
  @Test func tarMakesTheSame() throws {
    let file = try #require(ArchiveCorpus.good.first { $0.name == "order" })
    let bundle = try Bundle(archive: file.bytes, place: "order.weft")
    let folder = try TemporaryFolder()
    for source in bundle.files { try folder.write(source.path, String(decoding: source.text, as: UTF8.self)) }
    let command = """
      cd "$1" && find . -type f -printf '%P\\n' | LC_ALL=C sort |
      tar --create --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 --mtime=@0 --blocking-factor=1 \
      --verbatim-files-from --files-from=-
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command, "sh", folder.path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let made = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(Array(made) == file.bytes)
    #expect(try Bundle(folder: folder.path).digest == bundle.digest)
  }
}

/// The same numbers in every run.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }
}
