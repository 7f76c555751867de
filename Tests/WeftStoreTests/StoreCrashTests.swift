import Foundation
import Testing
import WeftStore

/// What `StoreWriter` was told to be written is there, however it ends.
@Suite(.serialized)
struct StoreCrashTests {
  /// The program, beside the test's own bundle.
  private var writer: URL {
    let own = URL(fileURLWithPath: ProcessInfo.processInfo.arguments.first ?? "").deletingLastPathComponent()
    let beside = own.appendingPathComponent("StoreWriter")
    if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
    return URL(fileURLWithPath: FileManager.default.currentDirectoryPath).appendingPathComponent(
      ".build/debug/StoreWriter")
  }

  @Test func losesNothingWhenItIsKilledAHundredTimes() async throws {
    let folder = try TemporaryFolder()
    var random = SystemRandomNumberGenerator()
    for round in 0..<100 {
      let process = Process()
      process.executableURL = writer
      process.arguments = [folder.path]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      // Killed in the middle of its work, some commits after the first.
      let enough = Int.random(in: 1...2_000, using: &random)
      var heard = Data()
      while heard.count < enough {
        let part = output.fileHandleForReading.availableData
        if part.isEmpty { break }
        heard += part
      }
      kill(process.processIdentifier, SIGKILL)
      while true {
        let part = output.fileHandleForReading.availableData
        if part.isEmpty { break }
        heard += part
      }
      process.waitUntilExit()
      try #require(process.terminationReason == .uncaughtSignal, "\(String(decoding: heard, as: UTF8.self))")

      let store = try await SQLiteStore(folder: folder.path)
      let latest = try await store.revision()
      for line in String(decoding: heard, as: UTF8.self).split(separator: "\n") {
        let parts = line.split(separator: " ")
        guard parts.count == 2, let revision = Revision(parts[0]) else { continue }
        try #require(
          revision <= latest, "round \(round): revision \(revision) was acknowledged; the store is at \(latest)")
        let entry = try await store.get(String(parts[1]), at: revision)
        try #require(entry?.modified == revision, "round \(round): \(parts[1]) of revision \(revision) is lost")
      }
      if round % 20 == 19 { try await store.checkIntegrity() }
      await store.close()
    }
  }

  @Test func recoversWhenThereIsSpaceAgain() throws {
    let folder = try TemporaryFolder()
    let process = Process()
    process.executableURL = writer
    process.arguments = [folder.path, "full"]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(text)")
    #expect(text.contains("full ") && text.contains("cannot") && text.contains("recovered"), "\(text)")
  }
}
