import Logging

/// Services that run together and end together: when the first one ends or fails, the others are cancelled, and what has
/// not ended a while later is left behind. A task group would wait for it for ever: what waits for something that never
/// comes, such as a stream that a stuck client holds open, does not see that it is cancelled.
struct ServiceSet: Sendable {
  struct Part: Sendable {
    let name: String
    let body: @Sendable () async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
      self.name = name
      self.body = body
    }
  }

  private enum Event: Sendable {
    case ended(Int, Result<Void, any Error>)
    /// Whoever runs the set is cancelled.
    case cancelled
    case late
  }

  private let parts: [Part]
  private let patience: Duration
  private let log: Logger

  /// - Parameter patience: how long the others may take to end.
  init(_ parts: [Part], patience: Duration, log: Logger) {
    self.parts = parts
    self.patience = patience
    self.log = log
  }

  /// - Returns: what became of the first one that ended.
  func run() async -> Result<Void, any Error> {
    let (events, report) = AsyncStream.makeStream(of: Event.self)
    let tasks = parts.enumerated().map { index, part in
      Task {
        let result: Result<Void, any Error>
        do { result = .success(try await part.body()) } catch { result = .failure(error) }
        report.yield(.ended(index, result))
      }
    }
    return await withTaskCancellationHandler {
      // In a task of its own, which goes on when this one is cancelled: it sees to it that everything ends.
      await Task { await supervise(tasks, events, report) }.value
    } onCancel: {
      report.yield(.cancelled)
    }
  }

  private func supervise(
    _ tasks: [Task<Void, Never>], _ events: AsyncStream<Event>, _ report: AsyncStream<Event>.Continuation
  ) async -> Result<Void, any Error> {
    var left = Set(parts.indices)
    var first: Result<Void, any Error>?
    var timer: Task<Void, Never>?
    loop: for await event in events {
      switch event {
      case .ended(let index, let result):
        left.remove(index)
        first = first ?? result
      case .cancelled: first = first ?? .failure(CancellationError())
      case .late: break loop
      }
      if left.isEmpty { break }
      if timer == nil {
        for task in tasks { task.cancel() }
        timer = Task { [patience] in if (try? await Task.sleep(for: patience)) != nil { report.yield(.late) } }
      }
    }
    timer?.cancel()
    for index in left.sorted() {
      log.warning("\(parts[index].name) did not end in \(patience), and is left behind")
    }
    return first ?? .success(())
  }
}
