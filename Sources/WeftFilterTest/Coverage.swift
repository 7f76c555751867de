import CLuaHost
import WeftLua

/// How often each line of a bundle's files has run.
public final class Coverage {
  /// One file.
  public struct File: Sendable {
    /// As the user would name it.
    public let path: String
    /// By line that holds code, in order.
    public let lines: [(line: Int, hits: UInt32)]

    public var covered: Int { lines.count { $0.hits > 0 } }
    /// 100 for a file without code.
    public var percent: Double { lines.isEmpty ? 100 : Double(covered) * 100 / Double(lines.count) }

    /// Runs of lines that hold code and have not run; lines without code between them do not part them.
    public var uncovered: [ClosedRange<Int>] {
      var ranges: [ClosedRange<Int>] = []
      var isOpen = false
      for (line, hits) in lines {
        if hits > 0 {
          isOpen = false
        } else if isOpen, let last = ranges.popLast() {
          ranges.append(last.lowerBound...line)
        } else {
          ranges.append(line...line)
          isOpen = true
        }
      }
      return ranges
    }
  }

  private let folder: TestFolder
  private let counts: UnsafeMutableBufferPointer<wl_line_counts>

  init(_ folder: TestFolder) {
    self.folder = folder
    counts = .allocate(capacity: folder.bundle.sources.count)
    for (i, source) in folder.bundle.sources.enumerated() {
      let count = source.text.count { $0 == UInt8(ascii: "\n") } + 2
      let hits = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
      hits.initialize(repeating: 0, count: count)
      counts.initializeElement(at: i, to: wl_line_counts(hits: hits, count: count))
    }
  }

  deinit {
    for count in counts { count.hits?.deallocate() }
    counts.deallocate()
  }

  func install(in instruments: inout LuaInstruments) {
    instruments.lines = UnsafeBufferPointer(counts)
    instruments.cpuFactor = 5
  }

  /// What has been counted so far.
  public var files: [File] {
    zip(folder.bundle.sources, counts).map { source, count in
      let active = LuaLines.withCode(source)
      let lines = active.map { line in (line: line, hits: line < count.count ? count.hits?[line] ?? 0 : 0) }
      return File(path: "\(folder.path)/\(source.path)", lines: lines)
    }
  }
}
