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

  /// Gives back what only the start needed: pages of code and constants, the program's own and those of its libraries, and
  /// free pages of the heap. What is wanted again comes back from the page cache, a few pages at a time.
  public static func releaseStartPages() {
    malloc_trim(0)
    cl_drop_clean_pages()
  }
}
