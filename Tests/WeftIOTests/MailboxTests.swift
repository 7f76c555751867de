import Glibc
import Testing
import WeftIO

struct MailboxTests {
  @Test func takesMessagesInOrderUpToItsCapacity() throws {
    let mailbox = try Mailbox<Int>(capacity: 3)
    #expect(!isReadable(mailbox.descriptor))
    #expect((1...5).map { mailbox.send($0) } == [true, true, true, false, false])
    #expect(isReadable(mailbox.descriptor))
    var got: [Int] = []
    mailbox.drain { got.append($0) }
    #expect(got == [1, 2, 3])
    #expect(!isReadable(mailbox.descriptor))
    mailbox.drain { _ in Issue.record("nothing is left") }
    #expect(mailbox.send(6))
    #expect(isReadable(mailbox.descriptor))
  }

  @Test func sendingWhileDrainingWakesAgain() throws {
    let mailbox = try Mailbox<Int>(capacity: 8)
    #expect(mailbox.send(1))
    mailbox.drain { message in if message == 1 { #expect(mailbox.send(2)) } }
    #expect(isReadable(mailbox.descriptor))
    var got: [Int] = []
    mailbox.drain { got.append($0) }
    #expect(got == [2])
  }

  /// Several threads send through a real reactor, edge-triggered: no message and no wake-up is lost, and each sender's
  /// messages keep their order.
  @Test(arguments: [true, false])
  func nothingIsLostBetweenThreads(edgeTriggered: Bool) throws {
    let senders = 4
    let each = 5_000
    let mailbox = try Mailbox<(sender: Int, number: Int)>(capacity: 64)
    let reactor = try Reactor(batch: 8)
    let token = Token(kind: 1, slot: 0, generation: 0)
    if edgeTriggered {
      try reactor.add(mailbox.descriptor, token)
    } else {
      try reactor.addLevelTriggered(mailbox.descriptor, token)
    }
    let threads = try (0..<senders).map { sender in
      try EventLoopThread(name: "sender-\(sender)") {
        var number = 0
        while number < each {
          if mailbox.send((sender, number)) { number += 1 } else { sched_yield() }
        }
      }
    }
    var next = [Int](repeating: 0, count: senders)
    var total = 0
    while total < senders * each {
      let ready = reactor.wait(milliseconds: 10_000)
      if ready == 0 {
        Issue.record("a wake-up was lost after \(total) messages")
        break
      }
      mailbox.drain { message in
        #expect(message.number == next[message.sender])
        next[message.sender] += 1
        total += 1
      }
    }
    for thread in threads { thread.join() }
    #expect(total == senders * each)
  }
}

struct EventLoopThreadTests {
  @Test func isNamedPinnedAndJoined() throws {
    let box = Box()
    let thread = try EventLoopThread(name: "a-name-that-is-too-long", cpu: 0, stackSize: 100_001) {
      let name = file("/proc/thread-self/comm")
      let status = file("/proc/thread-self/status")
      box.value.withLock { $0 = (name, status) }
    }
    #expect(thread.name == "a-name-that-is-")
    thread.join()
    thread.join()
    let (name, status) = box.value.withLock { $0 }
    #expect(name == "a-name-that-is-\n")
    #expect(status.contains("Cpus_allowed_list:\t0\n"))
  }

  @Test func startsWithoutACPUThatDoesNotExist() throws {
    let box = Box()
    let thread = try EventLoopThread(name: "x", cpu: 1_000_000) { box.value.withLock { $0.0 = "ran" } }
    thread.join()
    #expect(box.value.withLock { $0.0 } == "ran")
  }

  final class Box: Sendable { let value = Locked<(String, String)>(("", "")) }
}

/// Whether `fd` is readable at this moment.
func isReadable(_ fd: Int32) -> Bool {
  var p = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
  return poll(&p, 1, 0) == 1
}

/// The text of a small file; empty when it cannot be read.
func file(_ path: String) -> String {
  let fd = OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC))
  var text: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while case let n = read(fd.raw, &buffer, 4096), n > 0 { text += buffer.prefix(n) }
  return String(decoding: text, as: UTF8.self)
}
