import Glibc

/// Threads for code that blocks: servers, clients and the tests themselves.
enum BackgroundThread {
  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on a thread of its own, which nobody waits for.
  static func start(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 1 << 20)
    var thread = pthread_t()
    let error = pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
    precondition(error == 0, "no thread: \(String(cString: strerror(error)))")
  }
}

/// Work that runs beside a test, with a result to wait for.
final class BackgroundWork<Result: Sendable>: Sendable {
  private let outcome = Locked<Swift.Result<Result, any Error>?>(nil)

  init(_ body: @escaping @Sendable () throws -> Result) {
    let outcome = outcome
    BackgroundThread.start {
      let result = Swift.Result { try body() }
      outcome.withLock { $0 = result }
    }
  }

  var isDone: Bool { outcome.withLock { $0 != nil } }

  /// Waits for the end of the work.
  /// - Throws: what the work threw, or `Timeout`.
  func value(within seconds: Double = 60) throws -> Result {
    try eventually("the end of background work", within: seconds) { outcome.withLock { $0 } }.get()
  }
}
