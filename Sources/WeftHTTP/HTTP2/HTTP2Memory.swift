import CNghttp2
import Glibc

/// Memory for libnghttp2's objects: dozens of small ones a request, which come back here and are taken again without a
/// call of the general allocator. One for all sessions of a thread, and used by that thread alone.
///
/// Blocks have a head of 16 bytes that says which list they belong to. What lies here unused is bounded.
public final class HTTP2Memory {
  private struct State {
    /// Unused blocks, linked, by size class.
    let lists: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    var unused = 0
  }

  /// Class `i` holds blocks of `(i + 1) * step` bytes.
  private static let step = 64
  private static let classes = 16
  private static let headSize = 16
  /// In the place of the class: a block that is no list's.
  private static let foreign = UInt.max
  /// Bytes that are kept unused at the most.
  private static let maxUnused = 512 << 10

  private let state: UnsafeMutablePointer<State>
  /// What sessions are given.
  let functions: UnsafeMutablePointer<nghttp2_mem>

  public init() {
    let lists = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: Self.classes)
    lists.initialize(repeating: nil, count: Self.classes)
    state = .allocate(capacity: 1)
    state.initialize(to: State(lists: lists))
    functions = .allocate(capacity: 1)
    functions.initialize(
      to: nghttp2_mem(
        mem_user_data: state,
        malloc: { HTTP2Memory.take($0, $1) },
        free: { HTTP2Memory.giveBack($0, $1) },
        calloc: { count, size, user in
          let (total, overflow) = count.multipliedReportingOverflow(by: size)
          guard !overflow, let block = HTTP2Memory.take(total, user) else { return nil }
          memset(block, 0, total)
          return block
        },
        realloc: { HTTP2Memory.resize($0, $1, $2) }))
  }

  deinit {
    for i in 0..<Self.classes {
      var next = state.pointee.lists[i]
      while let block = next {
        next = block.load(as: UnsafeMutableRawPointer?.self)
        free(block - Self.headSize)
      }
    }
    state.pointee.lists.deallocate()
    state.deallocate()
    functions.deallocate()
  }

  @inline(__always)
  private static func take(_ size: Int, _ user: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let index = size == 0 ? 0 : Int((UInt(bitPattern: size) &- 1) / UInt(step))
    if index >= classes { return make(size, foreign) }
    guard let state = user?.assumingMemoryBound(to: State.self) else { return nil }
    if let block = state.pointee.lists[index] {
      state.pointee.lists[index] = block.load(as: UnsafeMutableRawPointer?.self)
      state.pointee.unused &-= (index &+ 1) &* step
      return block
    }
    return make((index &+ 1) &* step, UInt(index))
  }

  private static func make(_ size: Int, _ tag: UInt) -> UnsafeMutableRawPointer? {
    let (total, overflow) = size.addingReportingOverflow(headSize)
    guard size >= 0, !overflow, let memory = malloc(total) else { return nil }
    memory.storeBytes(of: tag, as: UInt.self)
    memory.storeBytes(of: UInt(size), toByteOffset: 8, as: UInt.self)
    return memory + headSize
  }

  @inline(__always)
  private static func giveBack(_ block: UnsafeMutableRawPointer?, _ user: UnsafeMutableRawPointer?) {
    guard let block else { return }
    let tag = (block - headSize).load(as: UInt.self)
    guard tag != foreign, let state = user?.assumingMemoryBound(to: State.self) else { return free(block - headSize) }
    let index = Int(tag)
    let size = (index &+ 1) &* step
    if state.pointee.unused &+ size > maxUnused { return free(block - headSize) }
    block.storeBytes(of: state.pointee.lists[index], as: UnsafeMutableRawPointer?.self)
    state.pointee.lists[index] = block
    state.pointee.unused &+= size
  }

  private static func resize(
    _ block: UnsafeMutableRawPointer?, _ size: Int, _ user: UnsafeMutableRawPointer?
  ) -> UnsafeMutableRawPointer? {
    guard let block else { return take(size, user) }
    let room = Int((block - headSize + 8).load(as: UInt.self))
    if size <= room { return block }
    guard let larger = take(size, user) else { return nil }
    memcpy(larger, block, room)
    giveBack(block, user)
    return larger
  }
}
