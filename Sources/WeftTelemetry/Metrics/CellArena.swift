import CLinux

/// The address of a run of cells. Only a shard's thread writes them, with relaxed stores; anyone may read them with
/// relaxed loads.
struct Cells: @unchecked Sendable {
  let base: UnsafeMutablePointer<UInt64>
}

/// One shard's cells. They never move and are freed with the registry only, so that a handle kept too long miscounts and
/// does no worse. Chunks start on a cache line of their own: two workers never write the same line.
struct CellArena: Sendable {
  private static let chunkWords = 512

  private var chunks: [Cells] = []
  private var used = CellArena.chunkWords
  private var free: [Int: [Cells]] = [:]

  /// A run of `count` cells, all 0.
  mutating func take(_ count: Int) -> Cells {
    if let cells = free[count]?.popLast() {
      for i in 0..<count { cl_store(cells.base + i, 0) }
      return cells
    }
    if CellArena.chunkWords - used < count {
      let raw = UnsafeMutableRawPointer.allocate(byteCount: CellArena.chunkWords * 8, alignment: 64)
      let words = raw.bindMemory(to: UInt64.self, capacity: CellArena.chunkWords)
      words.initialize(repeating: 0, count: CellArena.chunkWords)
      chunks.append(Cells(base: words))
      used = 0
    }
    guard let chunk = chunks.last else { preconditionFailure("an arena has a chunk once it gave cells") }
    defer { used += count }
    return Cells(base: chunk.base + used)
  }

  /// Takes a run back for a later series of the same size.
  mutating func give(_ cells: Cells, _ count: Int) { free[count, default: []].append(cells) }

  /// Frees all memory.
  func destroy() {
    for chunk in chunks { chunk.base.deallocate() }
  }
}
