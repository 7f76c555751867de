import Logging
import WeftFilter
import WeftIO
import WeftTelemetry

/// A worker as its supervisor knows it.
final class WorkerThread {
  let control: WorkerControl
  let context: ProxyWorkerContext
  /// Filters of the snapshot that was sent last, for the next one to carry over.
  var filters: [FilterKey: HTTPFilter] = [:]
  /// The worker has ended.
  var isStopped = false
  /// It has been said that the worker is stuck.
  var isStalled = false
  private let thread: EventLoopThread

  /// Hands what the worker is built from over to its thread. Unchecked: nobody else uses it afterwards.
  private final class Box: @unchecked Sendable {
    let start: WorkerStart
    init(_ start: WorkerStart) { self.start = start }
  }

  init(_ start: WorkerStart, cpu: Int?) throws(SystemError) {
    control = start.control
    context = start.context
    let box = Box(start)
    thread = try EventLoopThread(name: "weft-\(start.index)", cpu: cpu, stackSize: 8 << 20) {
      do {
        ProcessLog.enterWorker()
        let worker = try Worker(box.start)
        worker.run()
      } catch {
        box.start.log.critical("worker \(box.start.index) cannot start: \(error)")
        box.start.control.stopped()
      }
    }
  }

  func join() { thread.join() }
}
