import CLinux
import Glibc

/// Messages from any thread to the one that owns an event loop, in the order in which they were sent.
///
/// The loop registers `descriptor` for reading, level- or edge-triggered, and drains when it is readable. Many messages
/// wake the loop once.
public final class Mailbox<Message: Sendable>: Sendable {
  /// How many messages may wait.
  public let capacity: Int
  private let event: OwnedDescriptor
  private let waiting = Locked<[Message]>([])

  /// - Parameter capacity: how many messages may wait; at least one.
  public init(capacity: Int) throws(SystemError) {
    let fd = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    if fd < 0 { throw SystemError(operation: "eventfd", errno: errno) }
    event = OwnedDescriptor(fd)
    self.capacity = max(capacity, 1)
  }

  /// Readable while messages wait.
  public var descriptor: Int32 { event.raw }

  /// Leaves a message; callable from any thread.
  /// - Returns: false, and the message is not taken, when the mailbox is full.
  public func send(_ message: Message) -> Bool {
    let before: Int? = waiting.withLock { messages in
      if messages.count >= capacity { return nil }
      messages.append(message)
      return messages.count - 1
    }
    // Whoever finds it empty wakes the loop; the others are taken by the same drain.
    if before == 0 { wake() }
    return before != nil
  }

  /// Takes all messages that wait, in order. Only the loop's thread calls it. `body` may send.
  public func drain(_ body: (Message) -> Void) {
    // Cleared first: what is sent from here on wakes again.
    var counter: UInt64 = 0
    while read(event.raw, &counter, 8) < 0 && errno == EINTR {}
    let messages = waiting.withLock { messages in
      let all = messages
      messages = []
      return all
    }
    for message in messages { body(message) }
  }

  private func wake() {
    var one: UInt64 = 1
    // EAGAIN would mean that the counter is at its end, and the descriptor readable anyway.
    while write(event.raw, &one, 8) < 0 && errno == EINTR {}
  }
}
