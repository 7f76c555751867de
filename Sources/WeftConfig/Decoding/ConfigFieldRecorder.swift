import Synchronization

/// Remembers which fields the readers ask for, so that a test can hold the reference documentation against the code.
public final class ConfigFieldRecorder: Sendable {
  @TaskLocal static var current: ConfigFieldRecorder?

  private let seen = Mutex<[String: Bool]>([:])

  public init() {}

  /// Runs `body`; every object that it decodes on this thread is recorded.
  public func record<T>(_ body: () throws -> T) rethrows -> T {
    try ConfigFieldRecorder.$current.withValue(self, operation: body)
  }

  /// Every field asked for so far, without indices: `spec.rules[].timeouts.request`.
  public var fields: [String] { seen.withLock { $0.keys.sorted() } }

  /// The fields with fields of their own that no decoded document held, so that what is inside was not seen.
  public var unvisited: [String] { seen.withLock { $0.filter(\.value).keys.sorted() } }

  func note(_ path: FieldPath, unvisited: Bool) {
    let pattern = path.pattern
    seen.withLock { $0[pattern] = ($0[pattern] ?? true) && unvisited }
  }
}
