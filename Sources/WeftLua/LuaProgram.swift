import CLuaHost
import WeftBundle
import WeftIO

/// Lua code and its bounds: what states are made from. Immutable and shared by all workers.
final class LuaProgram: Sendable {
  /// What logs and metrics call it: a bundle's name, or the filter's for a script that stands alone.
  let name: String
  let entry: OwnedBytes
  /// `sha256:HEX` of the bundle, or of a script that stands alone.
  let digest: String
  let limits: BundleLimits
  /// nil: the states stand alone, with nothing to log or to count in.
  let surroundings: LuaSurroundings?
  /// Two programs of the same key do the same, and share their states.
  let key: String

  private let paths: [OwnedBytes]
  private let texts: [OwnedBytes]
  /// The table of sources that the host reads; lives as long as the program.
  nonisolated(unsafe) let sources: UnsafePointer<wl_source>
  var sourceCount: Int { paths.count }

  init(
    name: String, entry: String, sources files: [Bundle.Source], digest: String, limits: BundleLimits,
    namespace: String? = nil, surroundings: LuaSurroundings? = nil
  ) {
    self.name = name
    self.entry = OwnedBytes(entry)
    self.digest = digest
    self.limits = limits
    self.surroundings = surroundings
    let scope = namespace.map { " \($0)" } ?? ""
    key = "\(digest) \(limits.memory) \(limits.cpu.nanoseconds) \(limits.logLines)\(scope)"
    paths = files.map { OwnedBytes($0.path) }
    texts = files.map { OwnedBytes($0.text) }
    let table = UnsafeMutablePointer<wl_source>.allocate(capacity: max(files.count, 1))
    for (i, (path, text)) in zip(paths, texts).enumerated() {
      (table + i).initialize(to: wl_source(path: wl_text(path.bytes), text: wl_text(text.bytes)))
    }
    sources = UnsafePointer(table)
  }

  deinit { sources.deallocate() }
}

extension wl_text {
  /// No bytes at all, which is not the same as empty ones.
  static var none: wl_text { wl_text(base: nil, count: 0) }

  @inline(__always)
  init(_ bytes: Bytes) { self.init(base: bytes.base, count: bytes.count) }

  /// The bytes; empty when there are none.
  @inline(__always)
  var bytes: Bytes {
    guard let base else { return Bytes() }
    return Bytes(base, count)
  }
}
