import Glibc
import WeftIO

/// Listening sockets, opened here and handed to the workers with their configuration.
extension Supervisor {
  /// Opens a socket per worker for each address that is not open yet.
  func openListeners(_ new: Snapshot) throws -> [[Int: Int32]] {
    let open = Set(snapshot?.listeners.map(\.address) ?? [])
    var descriptors = Array(repeating: [Int: Int32](), count: workers.count)
    for (l, listener) in new.listeners.enumerated() where !open.contains(listener.address) {
      do {
        for w in workers.indices { descriptors[w][l] = try openListener(listener, w, first: descriptors[0][l]) }
      } catch {
        for opened in descriptors { for fd in opened.values { Socket.close(fd) } }
        throw listener.origin.error("\(error)")
      }
    }
    return descriptors
  }

  /// A socket for worker `index`. Where an address cannot be shared by sockets, workers share the first one's.
  private func openListener(_ listener: ListenerSpec, _ index: Int, first: Int32?) throws(SystemError) -> Int32 {
    let address = listener.address
    if address.unixPath != nil, let first { return try Socket.duplicate(first) }
    if snapshot == nil && index == 0 && PortProbe.isServed(address) {
      throw SystemError(operation: "listen on \(address)", errno: EADDRINUSE)
    }
    return try Socket.listen(address)
  }
}
