import Foundation
import Synchronization
import WeftStore

/// A clock that a test moves.
final class TestClock: Sendable {
  private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
  var now: Date { time.withLock { $0 } }
  func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
}

enum SQLiteStoreForTests {
  static func open(_ folder: TemporaryFolder) async throws -> SQLiteStore { try await SQLiteStore(folder: folder.path) }
}
