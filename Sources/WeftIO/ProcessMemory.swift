import CLinux
import Glibc

/// Memory that a process holds without need.
public enum ProcessMemory {
  /// For a process with thousands of connections that are idle most of the time, and that allocates on many threads. To
  /// be called before there are threads.
  ///
  /// - Parameters:
  ///   - heaps: how many heaps all threads share, where the C library would give up to eight a CPU to them: what one
  ///     thread frees is then there for the others.
  ///   - mapped: blocks of so many bytes and more get pages of their own: of a large buffer that is hardly used, only the
  ///     pages that were touched take memory, and they go back to the system when it is freed.
  public static func tune(heaps: Int32, mapped: Int32) {
    mallopt(M_ARENA_MAX, heaps)
    mallopt(M_MMAP_THRESHOLD, mapped)
  }

  /// Gives back what only the start needed: pages of code, the program's own and that of its libraries, and free pages of
  /// the heap. Code that is wanted again comes back from the page cache, a few pages at a time.
  ///
  /// Nothing is lost when it does not work: an unreadable /proc leaves things as they are.
  public static func releaseStartPages() {
    malloc_trim(0)
    guard let maps = fopen("/proc/self/maps", "r") else { return }
    defer { fclose(maps) }
    var line = [CChar](repeating: 0, count: Int(PATH_MAX) + 256)
    while fgets(&line, Int32(line.count), maps) != nil {
      let end = line.firstIndex(of: 0) ?? line.count
      let text = String(decoding: line[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
      // Only code: private pages of data would lose what has been written to them.
      guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
      let range = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard range.count == 2, range[1] > range[0], let start = UnsafeMutableRawPointer(bitPattern: range[0]) else {
        continue
      }
      _ = madvise(start, Int(range[1] - range[0]), MADV_DONTNEED)
    }
  }
}
