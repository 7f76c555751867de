import Glibc

/// Bytes that a socket did not take yet: a first-in-first-out chain of pool buffers.
///
/// Empty, it costs its own 20 bytes and no buffer. The pool is passed to each call and must be the same one every time.
@frozen
public struct ByteQueue: ~Copyable {
  /// Stands at the beginning of each buffer of the chain; `start..<end` counts from the buffer's beginning.
  @frozen
  @usableFromInline
  struct Segment {
    @usableFromInline var next: UnsafeMutablePointer<Segment>?
    @usableFromInline var start: UInt32
    @usableFromInline var end: UInt32

    @usableFromInline static var size: Int { MemoryLayout<Segment>.size }
  }

  @usableFromInline var head: UnsafeMutablePointer<Segment>?
  @usableFromInline var tail: UnsafeMutablePointer<Segment>?
  /// Bytes that wait.
  @inlinable public var count: Int { waiting }
  @inlinable @inline(__always) var waiting: Int {
    get { Int(held) }
    set { held = UInt32(truncatingIfNeeded: newValue) }
  }
  /// 32 bits: what it may hold is far below 4 GiB.
  @usableFromInline var held: UInt32 = 0
  /// How many bytes should wait at the most. It stops nobody: who appends asks `isFull`, and stops reading its source.
  @inlinable public static var highWaterMark: Int { 65_536 }

  /// How many vectors `fill` and `flush` use at the most.
  @inlinable public static var vectorLimit: Int { 16 }

  @inlinable
  public init() {}

  /// Frees what `releaseAll` has not given back.
  @inlinable
  deinit { if head != nil { freeAll() } }

  @inlinable @inline(__always) public var isEmpty: Bool { waiting == 0 }
  /// At or above the high-water mark: the source should pause.
  @inlinable @inline(__always) public var isFull: Bool { waiting >= ByteQueue.highWaterMark }
  /// Down to half the mark: a source that paused may go on.
  @inlinable @inline(__always) public var hasDrained: Bool { waiting <= ByteQueue.highWaterMark / 2 }

  /// Appends a copy of `count` bytes.
  public mutating func append(_ bytes: BytePointer, _ count: Int, _ pool: BufferPool) {
    var from = bytes
    var left = count
    while left > 0 {
      guard let segment = tailWithSpace(pool) else { return }
      let space = pool.bufferSize &- Int(segment.pointee.end)
      let n = min(space, left)
      memcpy(UnsafeMutableRawPointer(segment) + Int(segment.pointee.end), from, n)
      segment.pointee.end &+= UInt32(truncatingIfNeeded: n)
      from += n
      left &-= n
      waiting &+= n
    }
  }

  public mutating func append(_ bytes: Bytes, _ pool: BufferPool) { append(bytes.base, bytes.count, pool) }

  /// Points `vectors` at the oldest bytes, valid until the next change.
  /// - Parameter limit: how many vectors there are.
  /// - Returns: how many are filled.
  public func fill(_ vectors: UnsafeMutablePointer<iovec>, limit: Int) -> Int {
    var n = 0
    var segment = head
    while let s = segment, n < limit {
      vectors[n] = iovec(
        iov_base: UnsafeMutableRawPointer(s) + Int(s.pointee.start), iov_len: Int(s.pointee.end &- s.pointee.start))
      n &+= 1
      segment = s.pointee.next
    }
    return n
  }

  /// Drops the oldest `count` bytes, or all if there are fewer; emptied buffers go back to the pool.
  public mutating func consume(_ count: Int, _ pool: BufferPool) {
    var left = min(max(count, 0), waiting)
    waiting &-= left
    while left > 0, let segment = head {
      let n = Int(segment.pointee.end &- segment.pointee.start)
      if left < n {
        segment.pointee.start &+= UInt32(truncatingIfNeeded: left)
        return
      }
      left &-= n
      head = segment.pointee.next
      give(segment, pool)
    }
    if head == nil { tail = nil }
  }

  /// Moves the oldest `count` bytes, or all if there are fewer, to the end of `w`, which must have room for them.
  public mutating func move(_ count: Int, into w: inout ByteWriter, _ pool: BufferPool) {
    var left = min(max(count, 0), waiting)
    while left > 0, let segment = head {
      let n = min(left, Int(segment.pointee.end &- segment.pointee.start))
      w.append(UnsafeRawPointer(segment).assumingMemoryBound(to: UInt8.self) + Int(segment.pointee.start), n)
      consume(n, pool)
      left &-= n
    }
  }

  /// Sends what waits until the socket takes no more.
  /// - Returns: 0 when the queue is empty or the socket full (then it becomes writable later), or the error number of a
  ///   broken connection.
  public mutating func flush(_ fd: Int32, _ pool: BufferPool) -> Int32 {
    while waiting > 0 {
      let (result, offered) = withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectorLimit) { vectors in
        guard let base = vectors.baseAddress else { return (IOResult(raw: -Int(ENOMEM)), 0) }
        let n = fill(base, limit: Self.vectorLimit)
        var offered = 0
        for i in 0..<n { offered &+= base[i].iov_len }
        return (Socket.send(fd, vectors: base, n), offered)
      }
      if result.wouldBlock { return 0 }
      if result.failed { return result.errno }
      consume(result.count, pool)
      // A short write means that the socket's buffer is full; an edge will say when it no longer is.
      if result.count < offered { return 0 }
    }
    return 0
  }

  /// Drops everything and gives all buffers back.
  public mutating func releaseAll(_ pool: BufferPool) {
    while let segment = head {
      head = segment.pointee.next
      give(segment, pool)
    }
    tail = nil
    waiting = 0
  }

  private mutating func tailWithSpace(_ pool: BufferPool) -> UnsafeMutablePointer<Segment>? {
    if let tail, Int(tail.pointee.end) < pool.bufferSize { return tail }
    precondition(pool.bufferSize > Segment.size && pool.bufferSize <= UInt32.max, "buffers of 17 bytes to 4 GiB")
    var buffer = pool.none
    pool.attach(&buffer)
    let segment = UnsafeMutableRawPointer(buffer.base).bindMemory(to: Segment.self, capacity: 1)
    let start = UInt32(Segment.size)
    segment.initialize(to: Segment(next: nil, start: start, end: start))
    if let tail { tail.pointee.next = segment } else { head = segment }
    tail = segment
    return segment
  }

  private func give(_ segment: UnsafeMutablePointer<Segment>, _ pool: BufferPool) {
    var buffer = pool.none
    buffer.base = UnsafeMutableRawPointer(segment).bindMemory(to: UInt8.self, capacity: pool.bufferSize)
    buffer.capacity = pool.bufferSize
    pool.detach(&buffer)
  }

  @usableFromInline
  func freeAll() {
    var segment = head
    while let s = segment {
      segment = s.pointee.next
      UnsafeMutableRawPointer(s).bindMemory(to: UInt8.self, capacity: 1).deallocate()
    }
  }
}
