import Glibc

/// One look at what is watched: what it is now, and which folders would tell of a change.
struct FileScan {
  /// What a folder is watched for.
  struct Interest {
    /// Roots to which every entry matters, hidden and temporary ones left out.
    var all: Set<Int> = []
    /// Entries that matter, by name, and to which roots.
    var names: [String: Set<Int>] = [:]
    /// Roots that only want to know when the folder itself goes away.
    var isOnWayTo: Set<Int> = []
  }

  /// Entries looked at in one scan, at the most; what lies beyond is not watched.
  static let entryLimit = 50_000
  /// Folders below a root.
  static let depthLimit = 32
  /// As many symbolic links in one path as the kernel follows.
  private static let linkLimit = 40

  /// By resolved path of the folder.
  private(set) var interests: [String: Interest] = [:]
  /// A number for each root that differs when anything about it does: which files there are, their identity, size,
  /// times and permissions.
  private(set) var fingerprints: [UInt64] = []
  /// The latest change of anything about a root, in milliseconds since 1970; 0 when nothing is there.
  private(set) var latest: [UInt64] = []
  private(set) var isTruncated = false
  private var entries = 0

  init(_ roots: [String]) {
    latest = Array(repeating: 0, count: roots.count)
    for (i, path) in roots.enumerated() { fingerprints.append(look(path, root: i)) }
  }

  /// Names that editors and the like use for files that are not meant to be read. Kubernetes keeps the versions of a
  /// volume in hidden folders; what is meant to be read are links into them.
  static func isIgnored(_ name: String) -> Bool {
    let utf8 = name.utf8
    return utf8.first == 0x2e || utf8.first == 0x23 || utf8.last == 0x7e || name.hasSuffix(".swp")
  }

  private mutating func look(_ path: String, root: Int) -> UInt64 {
    var print: UInt64 = 1
    guard let real = trace(path, root: root), let info = FileScan.status(real) else { return 0 }
    if info.isFolder {
      var visited: Set<FileIdentity> = []
      walk(real, relative: "", depth: 0, root: root, info, &visited, &print)
    } else {
      print &+= info.hash("")
      latest[root] = max(latest[root], info.changed)
    }
    return print
  }

  private mutating func walk(
    _ folder: String, relative: String, depth: Int, root: Int, _ info: FileStatus, _ visited: inout Set<FileIdentity>,
    _ print: inout UInt64
  ) {
    if depth >= FileScan.depthLimit || !visited.insert(info.identity).inserted { return }
    interests[folder, default: Interest()].all.insert(root)
    latest[root] = max(latest[root], info.changed)
    guard let handle = opendir(folder) else { return }
    defer { closedir(handle) }
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) {
          String(cString: $0)
        }
      }
      if FileScan.isIgnored(name) { continue }
      entries += 1
      if entries > FileScan.entryLimit {
        isTruncated = true
        return
      }
      let path = folder == "/" ? "/" + name : folder + "/" + name
      let inner = relative + "/" + name
      var real = path
      if FileScan.isLink(path) {
        guard let target = trace(path, root: root) else {
          print &+= FileScan.hash(inner, 0)
          continue
        }
        real = target
      }
      guard let status = FileScan.status(real) else { continue }
      if status.isFolder {
        print &+= FileScan.hash(inner, 1)
        walk(real, relative: inner, depth: depth + 1, root: root, status, &visited, &print)
      } else {
        print &+= status.hash(inner)
        latest[root] = max(latest[root], status.changed)
      }
    }
  }

  /// Follows `path` component by component, noting each folder where it could take another turn: those that hold a link
  /// on the way, the one that holds the end, or the last one that exists.
  /// - Returns: the path without links, nil when there is nothing at its end.
  private mutating func trace(_ path: String, root: Int) -> String? {
    var rest: [Substring] = FileScan.absolute(path).split(separator: "/").reversed()
    var folder = "/"
    var links = 0
    while let component = rest.popLast() {
      if component == "." { continue }
      if component == ".." {
        folder = FileScan.parent(folder)
        continue
      }
      let name = String(component)
      let next = folder == "/" ? "/" + name : folder + "/" + name
      let target = FileScan.linkTarget(next)
      guard let target else {
        let status = FileScan.status(next)
        if rest.isEmpty || status?.isFolder != true {
          interests[folder, default: Interest()].names[name, default: []].insert(root)
        } else {
          interests[folder, default: Interest()].isOnWayTo.insert(root)
        }
        if status == nil || !rest.isEmpty && status?.isFolder != true { return nil }
        folder = next
        continue
      }
      interests[folder, default: Interest()].names[name, default: []].insert(root)
      links += 1
      if links > FileScan.linkLimit { return nil }
      rest += target.split(separator: "/").reversed()
      if target.utf8.first == 0x2f { folder = "/" }
    }
    return folder
  }

  private static func absolute(_ path: String) -> String {
    if path.utf8.first == 0x2f { return path }
    guard let current = getcwd(nil, 0) else { return "/" + path }
    defer { free(current) }
    return String(cString: current) + "/" + path
  }

  private static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  private static func isLink(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
  }

  private static func linkTarget(_ path: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
      guard let base = buffer.baseAddress, case let n = readlink(path, base, Int(PATH_MAX)), n > 0 else { return nil }
      base[n] = 0
      return String(cString: base)
    }
  }

  private static func status(_ path: String) -> FileStatus? {
    var info = stat()
    return stat(path, &info) == 0 ? FileStatus(info) : nil
  }

  fileprivate static func hash(_ path: String, _ kind: UInt8) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(path)
    hasher.combine(kind)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

private struct FileIdentity: Hashable {
  let device: UInt64
  let inode: UInt64
}

/// What tells one state of a file from another.
private struct FileStatus {
  private let info: stat
  init(_ info: stat) { self.info = info }

  var isFolder: Bool { info.st_mode & S_IFMT == S_IFDIR }
  /// Milliseconds since 1970.
  var changed: UInt64 {
    UInt64(max(info.st_ctim.tv_sec, 0)) &* 1_000 &+ UInt64(max(info.st_ctim.tv_nsec, 0)) / 1_000_000
  }
  var identity: FileIdentity { FileIdentity(device: UInt64(info.st_dev), inode: UInt64(info.st_ino)) }

  func hash(_ path: String) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(path)
    hasher.combine(identity)
    hasher.combine(info.st_size)
    hasher.combine(info.st_mode)
    hasher.combine(info.st_mtim.tv_sec)
    hasher.combine(info.st_mtim.tv_nsec)
    hasher.combine(info.st_ctim.tv_sec)
    hasher.combine(info.st_ctim.tv_nsec)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}
