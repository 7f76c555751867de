import CLinux
import Glibc

/// A thread with a name, a stack of a given size and, if wanted, a CPU of its own.
public final class EventLoopThread: Sendable {
  private let thread: Locked<pthread_t?>
  /// As top and ps show it: the first 15 bytes of what was asked for.
  public let name: String

  /// Starts the thread. `body` builds everything that the thread owns.
  /// - Parameters:
  ///   - cpu: keep it on this CPU; a CPU that the process may not use is ignored.
  ///   - stackSize: bytes, rounded up to whole pages, at least 64 KiB.
  public init(
    name: String, cpu: Int? = nil, stackSize: Int = 1 << 20, body: @escaping @Sendable () -> Void
  ) throws(SystemError) {
    var short = ""
    for character in name where short.utf8.count + character.utf8.count <= 15 { short.append(character) }
    self.name = short

    var attributes = pthread_attr_t()
    var error = pthread_attr_init(&attributes)
    if error != 0 { throw SystemError(operation: "pthread_attr_init", errno: error) }
    defer { pthread_attr_destroy(&attributes) }
    let page = max(sysconf(Int32(_SC_PAGESIZE)), 4096)
    let size = (max(stackSize, 64 * 1024) + page - 1) / page * page
    error = pthread_attr_setstacksize(&attributes, size)
    if error != 0 { throw SystemError(operation: "pthread_attr_setstacksize", errno: error) }

    let start = Unmanaged.passRetained(Start(name: short, cpu: cpu, body: body))
    var id = pthread_t()
    error = pthread_create(
      &id, &attributes,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        // Neither is worth failing for.
        _ = cl_name_thread(start.name)
        if let cpu = start.cpu { _ = cl_pin_thread(Int32(clamping: cpu)) }
        start.body()
        return nil
      }, start.toOpaque())
    if error != 0 {
      start.release()
      throw SystemError(operation: "start thread \(short)", errno: error)
    }
    thread = Locked(id)
  }

  deinit {
    if let id = thread.withLock({ $0 }) { pthread_detach(id) }
  }

  /// Waits until the thread has ended. Later calls return at once. Not for the thread itself.
  public func join() {
    let id = thread.withLock { id in
      defer { id = nil }
      return id
    }
    if let id { pthread_join(id, nil) }
  }

  private final class Start {
    let name: String
    let cpu: Int?
    let body: @Sendable () -> Void

    init(name: String, cpu: Int?, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.cpu = cpu
      self.body = body
    }
  }
}
