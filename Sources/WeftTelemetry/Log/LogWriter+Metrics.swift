extension LogWriter {
  /// Registers `weft_access_log_*` and `weft_log_*`.
  /// - Throws: `MetricError` when they are registered already.
  public func register(in registry: MetricsRegistry) throws {
    typealias Entry = (target: LogTarget, kind: LogKind, counts: LogCounts)
    let queue = queue
    func add(
      _ kind: LogKind, _ name: String, _ help: String, labels: [String],
      _ samples: @escaping @Sendable (Entry) -> [CollectedSample]
    ) throws {
      try registry.collected(MetricDescriptor(.counter, name: name, help: help, labels: labels)) {
        queue.state.withLock { state in
          state.sinks.sorted { $0.key < $1.key }.map { ($0.value.target, $0.value.kind, $0.value.counts) }
        }.filter { $0.kind == kind }.flatMap(samples)
      }
    }
    try add(.access, "weft_access_log_lines_total", "Access log lines written.", labels: ["target"]) {
      [CollectedSample(labels: [$0.target.description], value: Double($0.counts.written))]
    }
    try add(
      .access, "weft_access_log_dropped_total", "Access log lines lost: queue_full, write_error, too_long.",
      labels: ["target", "reason"]
    ) { entry in
      let target = entry.target.description
      return [
        CollectedSample(labels: [target, "queue_full"], value: Double(entry.counts.queueFull)),
        CollectedSample(labels: [target, "write_error"], value: Double(entry.counts.writeError)),
        CollectedSample(labels: [target, "too_long"], value: Double(entry.counts.tooLong)),
      ]
    }
    try add(
      .access, "weft_access_log_write_errors_total", "Failed writes and reopens of an access log.", labels: ["target"]
    ) {
      [CollectedSample(labels: [$0.target.description], value: Double($0.counts.errors))]
    }
    try add(.process, "weft_log_lines_total", "Process log lines written.", labels: []) {
      [CollectedSample(value: Double($0.counts.written))]
    }
    try add(
      .process, "weft_log_dropped_total", "Process log lines lost: queue_full, write_error.", labels: ["reason"]
    ) {
      [
        CollectedSample(labels: ["queue_full"], value: Double($0.counts.queueFull)),
        CollectedSample(labels: ["write_error"], value: Double($0.counts.writeError)),
      ]
    }
  }
}
