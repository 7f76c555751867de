import Testing

/// Runs each test on a thread that may block, and only a few tests at once, for each starts processes.
struct EndToEndTrait: SuiteTrait, TestTrait, TestScoping {
  let isRecursive = true

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    // For a suite as a whole there is nothing to do.
    guard testCase != nil else { return try await function() }
    await EndToEndTrait.places.enter()
    do {
      try await withTaskExecutorPreference(ThreadExecutor.shared) { try await function() }
    } catch {
      await EndToEndTrait.places.leave()
      throw error
    }
    await EndToEndTrait.places.leave()
  }

  private static let places = Places(4)
}

extension Trait where Self == EndToEndTrait {
  static var endToEnd: Self { EndToEndTrait() }
}

/// A limit on what runs at once.
private actor Places {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { free = count }

  func enter() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func leave() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}

/// Gives each job a thread of its own, so that one which blocks holds up no other.
private final class ThreadExecutor: TaskExecutor {
  static let shared = ThreadExecutor()

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    BackgroundThread.start { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
