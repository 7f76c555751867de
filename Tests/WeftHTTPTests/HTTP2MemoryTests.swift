import CNghttp2
import Glibc
import Testing

@testable import WeftHTTP

@Suite struct HTTP2MemoryTests {
  @Test func blocksComeBackAndAreTakenAgain() throws {
    let memory = HTTP2Memory()
    let functions = memory.functions.pointee
    let first = try #require(functions.malloc(100, functions.mem_user_data))
    functions.free(first, functions.mem_user_data)
    // The same class of sizes.
    #expect(functions.malloc(70, functions.mem_user_data) == first)
    functions.free(first, functions.mem_user_data)
    functions.free(nil, functions.mem_user_data)
  }

  @Test func blocksAreApartAndKeepTheirContent() throws {
    let memory = HTTP2Memory()
    let functions = memory.functions.pointee
    var blocks: [(UnsafeMutableRawPointer, Int, UInt8)] = []
    for i in 0..<2_000 {
      let size = (i * 37) % 3_000
      let block = try #require(functions.malloc(size, functions.mem_user_data))
      #expect(UInt(bitPattern: block) % 16 == 0)
      let mark = UInt8(truncatingIfNeeded: i)
      memset(block, Int32(mark), size)
      blocks.append((block, size, mark))
      if i % 3 == 0, let (block, size, mark) = blocks.popLast() {
        let larger = try #require(functions.realloc(block, size * 2 + 1, functions.mem_user_data))
        #expect(UnsafeRawBufferPointer(start: larger, count: size).allSatisfy { $0 == mark })
        functions.free(larger, functions.mem_user_data)
      }
    }
    for (block, size, mark) in blocks {
      #expect(UnsafeRawBufferPointer(start: block, count: size).allSatisfy { $0 == mark })
      functions.free(block, functions.mem_user_data)
    }
  }

  @Test func clearedMemoryIsClear() throws {
    let memory = HTTP2Memory()
    let functions = memory.functions.pointee
    let used = try #require(functions.malloc(128, functions.mem_user_data))
    memset(used, 0xff, 128)
    functions.free(used, functions.mem_user_data)
    let clear = try #require(functions.calloc(16, 8, functions.mem_user_data))
    #expect(UnsafeRawBufferPointer(start: clear, count: 128).allSatisfy { $0 == 0 })
    functions.free(clear, functions.mem_user_data)
    #expect(functions.calloc(Int.max, 2, functions.mem_user_data) == nil)
    #expect(functions.malloc(-1, functions.mem_user_data) == nil)
  }
}
