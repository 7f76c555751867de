/// What a load has measured, as one line of JSON.
struct Report {
  let latencies: Histogram
  let failures: Int
  let nanoseconds: UInt64

  init(_ latencies: Histogram, failures: Int, nanoseconds: UInt64) {
    self.latencies = latencies
    self.failures = failures
    self.nanoseconds = nanoseconds
  }

  func print() {
    func microseconds(_ share: Double) -> UInt64 { latencies.percentile(share) / 1_000 }
    Swift.print(
      "RESULT {\"requests\":\(latencies.total),\"microseconds\":\(nanoseconds / 1_000),\"p50\":\(microseconds(0.5)),"
        + "\"p99\":\(microseconds(0.99)),\"p999\":\(microseconds(0.999)),\"longest\":\(latencies.longest / 1_000),"
        + "\"status\":\(failures)}")
  }
}
