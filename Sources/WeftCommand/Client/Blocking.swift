import Dispatch
import Synchronization

/// Lets a command, which is synchronous, wait for work that is not.
enum Blocking {
  private final class Box<Result: Sendable>: Sendable {
    let value = Mutex<Swift.Result<Result, any Error>?>(nil)
  }

  /// Runs `body` and waits for its end. Only for the main thread of a command.
  static func run<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) throws -> Result {
    let box = Box<Result>()
    let done = DispatchSemaphore(value: 0)
    Task.detached {
      let result: Swift.Result<Result, any Error>
      do { result = .success(try await body()) } catch { result = .failure(error) }
      box.value.withLock { $0 = result }
      done.signal()
    }
    done.wait()
    guard let result = box.value.withLock({ $0 }) else { throw CancellationError() }
    return try result.get()
  }
}
