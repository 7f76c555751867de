import ServiceLifecycle

extension Task where Success == Never, Failure == Never {
  /// Sleeps, and throws `CancellationError` as soon as the process is to end.
  static func sleepUnlessShutdown(_ duration: Duration) async throws {
    try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    try Task.checkCancellation()
    if Task.isShuttingDownGracefully { throw Swift.CancellationError() }
  }
}
