import CLinux
import WeftConfig
import WeftFilter
import WeftIO

/// How many retries there may be: a share of the recent requests, and a rate that is always allowed. So retries cannot
/// multiply the load of a service that is failing for all.
///
/// One budget holds for all workers. Each counts in memory of its own, in slices of time, with plain loads and stores;
/// only a worker that wants to retry looks at what the others have counted. Two that look at the same moment may both
/// take the last place.
final class RetryBudget: @unchecked Sendable {
  static let slices = 10
  /// Words of one worker: three a slice, rounded up to whole cache lines, and one line to keep neighbours apart.
  private static let stride = 40

  /// Retries for a hundred requests.
  private let percent: UInt64
  /// Retries that are allowed in the whole interval, whatever the number of requests.
  private let minimum: UInt64
  let sliceNanoseconds: UInt64
  private let memory: Locked<Memory>

  private struct Memory {
    var base: UnsafeMutablePointer<UInt64>?
    var workers = 0
  }

  init(
    percent: Int = 20, interval: ConfigDuration = .seconds(10), minCount: Int = 10,
    minInterval: ConfigDuration = .seconds(1)
  ) {
    self.percent = UInt64(clamping: percent)
    sliceNanoseconds = Swift.max(UInt64(clamping: interval.nanoseconds) / UInt64(RetryBudget.slices), 1)
    minimum = UInt64(Double(minCount) * interval.seconds / Swift.max(minInterval.seconds, 0.001))
    memory = Locked(Memory())
  }

  convenience init(_ reader: ObjectReader) {
    let percent = reader.int("percent", in: 0...100, default: 20)
    let interval = reader.duration("interval", in: .seconds(1)...(.seconds(3600)), default: .seconds(10))
    let rate = reader.optionalObject("minRetryRate")
    let minCount = rate?.int("count", in: 0...1_000_000, default: 10) ?? 10
    let minInterval =
      rate?.duration("interval", in: .milliseconds(1)...(.seconds(3600)), default: .seconds(1)) ?? .seconds(1)
    self.init(percent: percent, interval: interval, minCount: minCount, minInterval: minInterval)
  }

  deinit {
    memory.withLock { memory in
      memory.base?.deallocate()
      memory.base = nil
    }
  }

  /// A worker's part. Called when a filter is made, not on the data path.
  func share(of worker: WorkerContext) -> RetryBudgetShare {
    let (index, count) = (worker.index, worker.count)
    let place = memory.withLock { memory -> UInt in
      if memory.base == nil {
        memory.workers = Swift.max(count, 1)
        let words = memory.workers * RetryBudget.stride
        let base = UnsafeMutablePointer<UInt64>.allocate(capacity: words)
        base.initialize(repeating: 0, count: words)
        memory.base = base
      }
      return UInt(bitPattern: memory.base)
    }
    guard let base = UnsafeMutablePointer<UInt64>(bitPattern: place) else {
      preconditionFailure("the budget's memory was made above")
    }
    return RetryBudgetShare(self, base: base, own: Swift.min(index, count - 1), workers: count)
  }

  fileprivate func allows(requests: UInt64, retries: UInt64) -> Bool {
    retries < requests &* percent / 100 &+ minimum
  }

  fileprivate static func slice(
    _ base: UnsafeMutablePointer<UInt64>, worker: Int, _ epoch: UInt64
  ) -> UnsafeMutablePointer<UInt64> {
    base + worker * stride + Int(epoch % UInt64(slices)) * 3
  }
}

/// One worker's part of a budget.
struct RetryBudgetShare {
  private let budget: RetryBudget
  private let base: UnsafeMutablePointer<UInt64>
  private let own: Int
  private let workers: Int

  fileprivate init(_ budget: RetryBudget, base: UnsafeMutablePointer<UInt64>, own: Int, workers: Int) {
    self.budget = budget
    self.base = base
    self.own = own
    self.workers = workers
  }

  // A slice is its number, the requests and the retries in it.

  @inline(__always)
  private func current(_ now: UInt64) -> UnsafeMutablePointer<UInt64> {
    let epoch = now / budget.sliceNanoseconds
    let slice = RetryBudget.slice(base, worker: own, epoch)
    if cl_load(slice) != epoch {
      cl_store(slice + 1, 0)
      cl_store(slice + 2, 0)
      cl_store(slice, epoch)
    }
    return slice
  }

  /// Counts a request that may be retried.
  @inline(__always)
  func countRequest(now: UInt64) { cl_add(current(now) + 1, 1) }

  /// Takes a retry out of the budget; false when there is none.
  func takeRetry(now: UInt64) -> Bool {
    let slice = current(now)
    let epoch = cl_load(slice)
    var requests: UInt64 = 0
    var retries: UInt64 = 0
    for worker in 0..<workers {
      for i in 0..<RetryBudget.slices {
        let other = RetryBudget.slice(base, worker: worker, UInt64(i))
        // Another worker's clock may be a slice ahead.
        let age = Int64(bitPattern: epoch &- cl_load(other))
        if age >= Int64(RetryBudget.slices) || age < -1 { continue }
        requests &+= cl_load(other + 1)
        retries &+= cl_load(other + 2)
      }
    }
    if !budget.allows(requests: requests, retries: retries) { return false }
    cl_add(slice + 2, 1)
    return true
  }
}
