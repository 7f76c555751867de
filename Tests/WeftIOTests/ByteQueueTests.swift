import Glibc
import Testing

@testable import WeftIO

struct ByteQueueTests {
  /// Random appends and consumes against an array.
  @Test(arguments: [17, 24, 64, 4096])
  func doesWhatAnArrayWouldDo(bufferSize: Int) {
    var random = SeededGenerator(seed: UInt64(bufferSize))
    let pool = BufferPool(bufferSize: bufferSize, keep: 4)
    var queue = ByteQueue()
    var model: [UInt8] = []
    for _ in 0..<600 {
      if Bool.random(using: &random) {
        let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBufferPointer { b in
          if let base = b.baseAddress { queue.append(base, b.count, pool) }
        }
        model += bytes
      } else {
        let n = Int.random(in: 0...250, using: &random)
        queue.consume(n, pool)
        model.removeFirst(min(n, model.count))
      }
      let count = queue.count
      #expect(count == model.count)
      let content = content(queue, limit: 10_000)
      #expect(content == model)
      if model.isEmpty { #expect(pool.lent == 0) }
    }
    queue.releaseAll(pool)
    #expect(pool.lent == 0)
    let isEmpty = queue.isEmpty
    #expect(isEmpty)
  }

  @Test func marksSayWhenItsSourceShouldPauseAndGoOn() {
    let pool = BufferPool(bufferSize: 4096, keep: 4)
    var queue = ByteQueue()
    let chunk = [UInt8](repeating: 1, count: ByteQueue.highWaterMark / 4)
    var states: [String] = []
    func note() { states.append("\(queue.isFull) \(queue.hasDrained)") }
    for _ in 0..<4 {
      chunk.withUnsafeBufferPointer { b in
        if let base = b.baseAddress { queue.append(base, b.count, pool) }
      }
      note()
    }
    queue.consume(1, pool)
    note()
    queue.consume(ByteQueue.highWaterMark / 2 - 1, pool)
    note()
    #expect(states == ["false true", "false true", "false false", "true false", "false false", "false true"])
    queue.releaseAll(pool)
  }

  private func content(_ queue: borrowing ByteQueue, limit: Int) -> [UInt8] {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: limit) { vectors in
      let n = queue.fill(vectors.baseAddress!, limit: limit)
      return (0..<n).flatMap { Array(UnsafeRawBufferPointer(start: vectors[$0].iov_base, count: vectors[$0].iov_len)) }
    }
  }

  @Test func flushesAcrossAFullSocket() throws {
    let pair = SocketPair()
    let pool = BufferPool(bufferSize: 1_000, keep: 64)
    var queue = ByteQueue()
    let total = 3_000_000
    let bytes = (0..<total).map { UInt8(truncatingIfNeeded: $0 &* 31 &>> 3) }
    bytes.withUnsafeBufferPointer { queue.append($0.baseAddress!, total, pool) }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 50_000)
    var rounds = 0
    while received.count < total && rounds < 100_000 {
      rounds += 1
      let error = queue.flush(pair.a, pool)
      #expect(error == 0)
      let n = Socket.receive(pair.b, &buffer, buffer.count)
      if n.succeeded { received += buffer.prefix(n.count) } else { #expect(n.wouldBlock) }
    }
    #expect(received == bytes)
    #expect(rounds > 5, "the socket was full at times")
    let left = queue.count
    #expect(left == 0 && pool.lent == 0)
  }

  @Test func aBrokenConnectionIsReported() {
    var pair = SocketPair()
    Socket.closeOnce(&pair.b)
    let pool = BufferPool(bufferSize: 64, keep: 1)
    var queue = ByteQueue()
    queue.append(Bytes("hello"), pool)
    let error = queue.flush(pair.a, pool)
    #expect(error == EPIPE)
    let count = queue.count
    #expect(count == 5)
    queue.releaseAll(pool)
    #expect(pool.lent == 0)
  }

  @Test func costsLittleWhenIdle() { #expect(MemoryLayout<ByteQueue>.size <= 32) }
}
