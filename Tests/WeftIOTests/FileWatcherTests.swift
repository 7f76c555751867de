import Glibc
import Testing

@testable import WeftIO

/// A folder of its own, removed at the end.
final class TemporaryFolder {
  let path: String

  init() {
    path = temporaryPath("watch")
    precondition(mkdir(path, 0o700) == 0)
  }

  deinit { TemporaryFolder.remove(path) }

  func at(_ name: String) -> String { path + "/" + name }

  /// Writes a file in place.
  func write(_ name: String, _ text: String) {
    let fd = open(at(name), O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    precondition(fd >= 0, "open \(name): \(errno)")
    let n = Glibc.write(fd, text, text.utf8.count)
    precondition(n == text.utf8.count)
    close(fd)
  }

  func makeFolder(_ name: String) { precondition(mkdir(at(name), 0o700) == 0, "mkdir \(name)") }
  func link(_ target: String, _ name: String) { precondition(symlink(target, at(name)) == 0, "symlink \(name)") }
  func move(_ from: String, _ to: String) { precondition(rename(at(from), at(to)) == 0, "rename \(from)") }
  func remove(_ name: String) { TemporaryFolder.remove(at(name)) }

  static func remove(_ path: String) {
    if unlink(path) == 0 { return }
    if let folder = opendir(path) {
      var names: [String] = []
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
      }
      closedir(folder)
      for name in names { remove(path + "/" + name) }
    }
    rmdir(path)
  }
}

struct FileWatcherTests {
  /// A watcher, and what it has told.
  private final class Observer {
    let watcher: FileWatcher
    var told: [[String]] = []

    init(_ paths: [String], pollInterval: UInt64 = 50) throws {
      watcher = try FileWatcher(quiet: 10, maximumDelay: 200, pollInterval: pollInterval)
      watcher.onChange = { [unowned self] in told.append($0.sorted()) }
      watcher.watch(paths)
    }

    /// Waits for the next call and returns its paths; nil when none comes.
    func next() -> [String]? {
      let before = told.count
      let came = drive([watcher]) { told.count > before }
      return came ? told[before] : nil
    }

    /// Whether `change` is told of.
    func tells(_ change: () -> Void) -> Bool {
      settle()
      change()
      let came = next() != nil
      settle()
      return came
    }

    /// Lets a change be made that must not be told of: a marker in a file watched beside it comes first and alone.
    func isSilent(about change: () -> Void, marker: TemporaryFolder) -> Bool {
      settle()
      change()
      marker.write("marker", "\(told.count)\(UInt64.random(in: 0 ... .max))")
      return next() == [marker.at("marker")]
    }

    /// Until nothing is under way any more.
    func settle() {
      while let deadline = watcher.nextDeadline(now: MonotonicTime.milliseconds()), watcher.problem == nil {
        let now = MonotonicTime.milliseconds()
        if deadline > now { usleep(UInt32(min(deadline - now, 10)) * 1_000) }
        watcher.process(now: MonotonicTime.milliseconds())
      }
    }
  }

  @Test func aFileWrittenInPlace() throws {
    let folder = TemporaryFolder()
    folder.write("a.yaml", "one")
    folder.write("b.yaml", "one")
    let observer = try Observer([folder.at("a.yaml"), folder.at("b.yaml")])
    folder.write("a.yaml", "two")
    #expect(observer.next() == [folder.at("a.yaml")], "same size, maybe the same time")
    folder.write("b.yaml", "three")
    #expect(observer.next() == [folder.at("b.yaml")])
    #expect(observer.tells { chmod(folder.at("a.yaml"), 0o400) }, "permissions matter: it may be readable now")
  }

  @Test func anEditorThatWritesAndRenames() throws {
    let folder = TemporaryFolder()
    folder.write("a.yaml", "one")
    let observer = try Observer([folder.at("a.yaml")])
    for i in 0..<3 {
      #expect(
        observer.tells {
          folder.write(".a.yaml.swp", "\(i)")
          folder.write("a.yaml.new", "two")
          folder.move("a.yaml", "a.yaml~")
          folder.move("a.yaml.new", "a.yaml")
          folder.remove("a.yaml~")
        })
    }
  }

  @Test func otherAndHiddenFilesBesideItAreNobodysBusiness() throws {
    let folder = TemporaryFolder()
    let marker = TemporaryFolder()
    marker.write("marker", "")
    folder.write("a.yaml", "one")
    folder.makeFolder("sub")
    let observer = try Observer([folder.at("a.yaml"), folder.at("sub"), marker.at("marker")])
    #expect(observer.isSilent(about: { folder.write("b.yaml", "x") }, marker: marker))
    #expect(observer.isSilent(about: { folder.write("sub/.hidden", "x") }, marker: marker))
    #expect(observer.isSilent(about: { folder.write("sub/a.yaml~", "x") }, marker: marker))
    #expect(observer.isSilent(about: { folder.write("sub/.a.yaml.swp", "x") }, marker: marker))
    #expect(observer.isSilent(about: { _ = file(folder.at("a.yaml")) }, marker: marker))
  }

  @Test func aFileThatAppearsGoesAndComesBack() throws {
    let folder = TemporaryFolder()
    let observer = try Observer([folder.at("deep/er/a.yaml")])
    #expect(
      observer.tells {
        folder.makeFolder("deep")
        folder.makeFolder("deep/er")
        folder.write("deep/er/a.yaml", "one")
      })
    #expect(observer.tells { folder.remove("deep/er/a.yaml") })
    #expect(observer.tells { folder.write("deep/er/a.yaml", "two") })
    #expect(observer.tells { folder.remove("deep") })
    folder.makeFolder("deep")
    observer.settle()
    folder.makeFolder("deep/er")
    observer.settle()
    #expect(observer.tells { folder.write("deep/er/a.yaml", "three") }, "one step at a time")
    #expect(observer.tells { folder.move("deep", "elsewhere") }, "a folder on the way is renamed")
    #expect(observer.tells { folder.move("elsewhere", "deep") })
  }

  @Test func aFolderWithEverythingBelowIt() throws {
    let folder = TemporaryFolder()
    folder.makeFolder("bundle")
    folder.write("bundle/main.lua", "one")
    let observer = try Observer([folder.at("bundle")])
    #expect(observer.tells { folder.write("bundle/main.lua", "two") })
    #expect(observer.tells { folder.write("bundle/more.lua", "one") })
    #expect(observer.tells { folder.makeFolder("bundle/tests") })
    #expect(observer.tells { folder.write("bundle/tests/a.lua", "one") })
    #expect(observer.tells { folder.write("bundle/tests/a.lua", "two") })
    #expect(
      observer.tells {
        folder.makeFolder("bundle/x")
        folder.makeFolder("bundle/x/y")
        folder.write("bundle/x/y/z.lua", "one")
      })
    #expect(observer.tells { folder.write("bundle/x/y/z.lua", "two") }, "made faster than it could be watched")
    #expect(observer.tells { folder.remove("bundle/x") })
    #expect(observer.tells { folder.remove("bundle") })
    #expect(observer.tells { folder.makeFolder("bundle") })
    #expect(observer.tells { folder.write("bundle/main.lua", "three") })
  }

  /// The kubelet's way: files are links through `..data`, a link to a folder of this version, replaced by a rename.
  @Test(arguments: [true, false])
  func kubernetesSwapsALink(watchesFolder: Bool) throws {
    let folder = TemporaryFolder()
    folder.makeFolder("..v1")
    folder.write("..v1/a.yaml", "one")
    folder.link("..v1", "..data")
    folder.link("..data/a.yaml", "a.yaml")
    let observer = try Observer([watchesFolder ? folder.path : folder.at("a.yaml")])
    for version in 2..<5 {
      #expect(
        observer.tells {
          folder.makeFolder("..v\(version)")
          folder.write("..v\(version)/a.yaml", "two")
          folder.link("..v\(version)", "..data_tmp")
          folder.move("..data_tmp", "..data")
          folder.remove("..v\(version - 1)")
        })
    }
    #expect(file(folder.at("a.yaml")) == "two")
  }

  @Test func whatALinkPointsAtOutside() throws {
    let outside = TemporaryFolder()
    let folder = TemporaryFolder()
    outside.write("real.yaml", "one")
    folder.link(outside.at("real.yaml"), "a.yaml")
    folder.link("a.yaml", "b.yaml")
    folder.link("loop2", "loop1")
    folder.link("loop1", "loop2")
    folder.link(".", "self")
    let observer = try Observer([folder.path])
    #expect(observer.tells { outside.write("real.yaml", "two") })
    #expect(
      observer.tells {
        outside.write("new.yaml", "three")
        outside.move("new.yaml", "real.yaml")
      })
    #expect(observer.tells { folder.remove("a.yaml") })
  }

  @Test func aBurstIsToldOnce() throws {
    let folder = TemporaryFolder()
    let observer = try Observer([folder.path])
    for i in 0..<200 { folder.write("f\(i)", "x") }
    #expect(observer.next() == [folder.path])
    observer.settle()
    #expect(observer.told.count <= 2, "once; twice at the most should the machine have stalled")
  }

  @Test func aBurstWithoutEndIsToldWithinTheDelay() throws {
    let folder = TemporaryFolder()
    let watcher = try FileWatcher(quiet: 10_000, maximumDelay: 50)
    var told = 0
    watcher.onChange = { _ in told += 1 }
    watcher.watch([folder.path])
    folder.write("a", "1")
    #expect(drive([watcher]) { told == 1 })
  }

  @Test func lostEventsCountAsAChange() throws {
    let folder = TemporaryFolder()
    let observer = try Observer([folder.path])
    // More events than the queue holds, without anything being read.
    let limit = Int(file("/proc/sys/fs/inotify/max_queued_events").split(separator: "\n").first ?? "") ?? 16_384
    let (a, b) = (folder.at("a"), folder.at("b"))
    folder.write("a", "x")
    for _ in 0..<(limit / 4 + 1_000) {
      rename(a, b)
      rename(b, a)
    }
    #expect(observer.next() == [folder.path])
  }

  @Test func watchingOtherPathsKeepsWhatWasNotToldYet() throws {
    let folder = TemporaryFolder()
    folder.write("a", "1")
    folder.write("b", "1")
    let observer = try Observer([folder.at("a")])
    folder.write("a", "22")
    observer.watcher.watch([folder.at("b"), folder.at("a"), folder.at("b")])
    #expect(observer.next() == [folder.at("a")])
    folder.write("b", "22")
    #expect(observer.next() == [folder.at("b")])
    observer.watcher.watch([])
    #expect(observer.watcher.nextDeadline(now: 0) == nil)
  }

  @Test func whatChangedWhileItWasReadIsTold() throws {
    let folder = TemporaryFolder()
    folder.write("a", "1")
    var info = stat()
    #expect(stat(folder.at("a"), &info) == 0)
    let written = UInt64(info.st_ctim.tv_sec) * 1_000 + UInt64(info.st_ctim.tv_nsec) / 1_000_000
    let observer = try Observer([])
    observer.watcher.watch([folder.at("a")], since: written + 1_000)
    #expect(observer.watcher.nextDeadline(now: 0) == nil, "it was written long before it was read")
    observer.watcher.watch([])
    observer.watcher.watch([folder.at("a"), folder.at("b")], since: written)
    #expect(observer.next() == [folder.at("a")])
  }

  @Test func pathsRelativeToTheWorkingFolder() throws {
    let name = "weft-watch-\(getpid())"
    defer { unlink(name) }
    let fd = OwnedDescriptor(open(name, O_CREAT | O_WRONLY, 0o600))
    let observer = try Observer(["./" + name])
    #expect(observer.tells { _ = write(fd.raw, "x", 1) })
  }

  /// As if the user had no inotify instance left. Using them up would hit every other process of the user.
  @Test func looksAgainAndAgainWhereThereIsNoInotify() throws {
    let folder = TemporaryFolder()
    folder.write("a", "1")
    let watcher = try FileWatcher(quiet: 10, maximumDelay: 100, pollInterval: 20, usesInotify: false)
    var told: [[String]] = []
    watcher.onChange = { told.append($0) }
    watcher.watch([folder.path])
    let problem = try #require(watcher.problem)
    #expect(problem.contains("max_user_instances") && problem.contains("every 20 ms"))
    folder.write("a", "22")
    #expect(drive([watcher]) { told == [[folder.path]] })
    folder.makeFolder("sub")
    folder.write("sub/b", "1")
    #expect(drive([watcher]) { told.count >= 2 })
    TemporaryFolder.remove(folder.path)
    let before = told.count
    #expect(drive([watcher]) { told.count > before })
  }
}
