import CLinux
import Glibc

/// An inotify instance and what its watches are for.
struct FolderWatches: ~Copyable {
  /// What the events told.
  struct News {
    /// Something relevant happened: look again.
    var isRelevant = false
    /// Roots in whose files bytes were written, even if that shows in no size or time: the kernel's clock for them ticks
    /// only every few milliseconds.
    var written: Set<Int> = []
    /// Events were lost: anything may have happened.
    var isOverflow = false
  }

  let file: OwnedDescriptor
  private let isWorking: Bool
  private var interests: [Int32: FileScan.Interest] = [:]
  private var masks: [Int32: UInt32] = [:]
  private let buffer: UnsafeMutableRawPointer

  private static let bufferSize = 16 * 1024
  private static let ownMask = UInt32(IN_DELETE_SELF | IN_MOVE_SELF) | UInt32(IN_ONLYDIR)
  private static let entryMask =
    ownMask | UInt32(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

  /// Where the kernel gives no inotify instance, a descriptor that never becomes readable stands in.
  init(usesInotify: Bool) throws(SystemError) {
    var fd = usesInotify ? inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK)) : -1
    isWorking = fd >= 0
    if fd < 0 { fd = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }
    if fd < 0 { throw SystemError(operation: "watch files", errno: errno) }
    file = OwnedDescriptor(fd)
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 8)
  }

  deinit { buffer.deallocate() }

  /// Watches exactly these folders.
  /// - Returns: whether any of them was not watched before, and the first error other than that a folder has gone.
  mutating func set(_ wanted: [String: FileScan.Interest]) -> (hasNew: Bool, error: Int32) {
    if !isWorking { return (false, EMFILE) }
    var kept: [Int32: FileScan.Interest] = [:]
    var hasNew = false
    var firstError: Int32 = 0
    for (path, interest) in wanted {
      let needsEntries = !interest.all.isEmpty || !interest.names.isEmpty
      let mask = needsEntries ? Self.entryMask : Self.ownMask
      let id = inotify_add_watch(file.raw, path, mask)
      if id < 0 {
        // A folder that has just gone shows in the next scan; one that we only pass through need not be readable.
        if errno != ENOENT && errno != ENOTDIR && (needsEntries || errno == ENOSPC) && firstError == 0 {
          firstError = errno
        }
        continue
      }
      if interests[id] == nil || mask & ~(masks[id] ?? 0) != 0 { hasNew = true }
      if let other = kept[id] {
        // The same folder by two paths: a bind mount.
        let union = mask | (masks[id] ?? 0)
        _ = inotify_add_watch(file.raw, path, union)
        masks[id] = union
        kept[id] = FolderWatches.merge(other, interest)
      } else {
        masks[id] = mask
        kept[id] = interest
      }
    }
    for id in interests.keys where kept[id] == nil {
      // It fails for a watch that has ended by itself, which is as good.
      _ = inotify_rm_watch(file.raw, id)
      masks[id] = nil
    }
    interests = kept
    return (hasNew, firstError)
  }

  /// Takes the events that wait, some thousands at the most.
  mutating func read() -> News {
    var news = News()
    if !isWorking { return news }
    for _ in 0..<64 {
      let count = Glibc.read(file.raw, buffer, Self.bufferSize)
      if count <= 0 { break }
      let headerSize = MemoryLayout<inotify_event>.size
      var offset = 0
      while offset + headerSize <= count {
        let event = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
        let end = offset + headerSize + Int(event.len)
        if end > count { break }
        let name = UnsafeRawBufferPointer(start: buffer + offset + headerSize, count: Int(event.len))
        note(event.wd, event.mask, String(decoding: name.prefix { $0 != 0 }, as: UTF8.self), &news)
        offset = end
      }
    }
    return news
  }

  private mutating func note(_ id: Int32, _ mask: UInt32, _ name: String, _ news: inout News) {
    if mask & UInt32(IN_Q_OVERFLOW) != 0 {
      news.isOverflow = true
      news.isRelevant = true
      return
    }
    if mask & UInt32(IN_IGNORED) != 0 {
      // Also the answer to our own inotify_rm_watch, for an ID that is no longer in the table.
      if interests.removeValue(forKey: id) != nil {
        masks[id] = nil
        news.isRelevant = true
      }
      return
    }
    guard let interest = interests[id] else { return }
    if name.isEmpty {
      // Only the end of a folder matters of what happens to the folder itself.
      if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF) != 0 { news.isRelevant = true }
      return
    }
    var roots = interest.names[name] ?? []
    if !FileScan.isIgnored(name) { roots.formUnion(interest.all) }
    if roots.isEmpty { return }
    news.isRelevant = true
    if mask & UInt32(IN_MODIFY) != 0 { news.written.formUnion(roots) }
  }

  private static func merge(_ a: FileScan.Interest, _ b: FileScan.Interest) -> FileScan.Interest {
    var result = a
    result.all.formUnion(b.all)
    result.isOnWayTo.formUnion(b.isOnWayTo)
    for (name, roots) in b.names { result.names[name, default: []].formUnion(roots) }
    return result
  }
}
