import Logging
import Synchronization
import Testing

@testable import WeftControl

@Suite struct ServiceSetTests {
  private let log = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

  private struct Failure: Error {}

  /// Waits for something that never comes, and does not see that it is cancelled.
  private func hang() async { await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in } }

  private func forever() async throws { while true { try await Task.sleep(for: .seconds(3_600)) } }

  @Test(.timeLimit(.minutes(2))) func leavesBehindWhatDoesNotEnd() async throws {
    let ended = Mutex(false)
    let set = ServiceSet(
      [
        ServiceSet.Part("stuck") { await hang() },
        ServiceSet.Part("obedient") {
          do { try await forever() } catch { ended.withLock { $0 = true } }
        },
        ServiceSet.Part("first") {},
      ], patience: .seconds(5), log: log)
    try await set.run().get()
    #expect(ended.withLock { $0 })
  }

  @Test(.timeLimit(.minutes(2))) func saysWhatTheFirstOneFailedWith() async throws {
    let set = ServiceSet(
      [ServiceSet.Part("one") { try await forever() }, ServiceSet.Part("other") { throw Failure() }],
      patience: .seconds(3_600), log: log)
    let result = await set.run()
    #expect(throws: Failure.self) { try result.get() }
  }

  @Test(.timeLimit(.minutes(2))) func endsWhenItIsCancelled() async throws {
    let (started, tell) = AsyncStream.makeStream(of: Void.self)
    let set = ServiceSet(
      [
        ServiceSet.Part("one") {
          tell.finish()
          try await forever()
        }
      ], patience: .seconds(3_600), log: log)
    let task = Task { await set.run() }
    for await _ in started {}
    task.cancel()
    let result = await task.value
    #expect(throws: CancellationError.self) { try result.get() }
  }
}
