import WeftIO

/// The path that a careless server might make of a normalised one: percent codes decoded once, slashes among them,
/// backslashes taken for slashes, path parameters (`;...`) dropped, repeated slashes taken for one, and dot segments that
/// appear by all this resolved. What may do with a path what its policy did not mean has to hold for this one as well.
enum PlainPath {
  /// - Returns: false when the path is the same, which most are, or does not fit.
  static func write(_ path: Bytes, into w: inout ByteWriter) -> Bool {
    if !mayDiffer(path) { return false }
    let root = w.count
    var i = 0
    while i < path.count {
      let (c, length) = byte(path, i)
      if c != 0x2f {
        // No path, such as `*`.
        if w.count == root { return false }
        if c == 0x3b {
          i = endOfElement(path, i)
          continue
        }
        w.append(byte: c)
      } else if w.count == root || w.base[w.count &- 1] != 0x2f {
        closeElement(&w, root)
        // Going up may have left the slash already.
        if w.count == root || w.base[w.count &- 1] != 0x2f { w.append(byte: 0x2f) }
      }
      i &+= length
    }
    closeElement(&w, root)
    return !w.overflow
  }

  private static func mayDiffer(_ path: Bytes) -> Bool {
    var last: UInt8 = 0
    var i = 0
    while i < path.count {
      let c = path[i]
      if c == 0x25 || c == 0x5c || c == 0x3b || c == 0x2f && last == 0x2f { return true }
      last = c
      i &+= 1
    }
    return false
  }

  /// The byte that begins at `i`, decoded, and how many it takes.
  private static func byte(_ path: Bytes, _ i: Int) -> (UInt8, Int) {
    if let c = PercentCode.byte(path, i) { return (c == 0x5c ? 0x2f : c, 3) }
    return (path[i] == 0x5c ? 0x2f : path[i], 1)
  }

  /// Where the next slash is, in whatever spelling.
  private static func endOfElement(_ path: Bytes, _ from: Int) -> Int {
    var i = from
    while i < path.count {
      let (c, length) = byte(path, i)
      if c == 0x2f { return i }
      i &+= length
    }
    return i
  }

  /// Resolves the element that was written last, if it is made of dots; the root is not left.
  private static func closeElement(_ w: inout ByteWriter, _ root: Int) {
    var start = w.count
    while start > root && w.base[start &- 1] != 0x2f { start &-= 1 }
    let count = w.count &- start
    if start == root || count == 0 || count > 2 || w.base[start] != 0x2e || w.base[w.count &- 1] != 0x2e { return }
    w.count = start
    if count == 1 || start &- 1 == root { return }
    // Behind the slash before the element above.
    w.count = start &- 1
    while w.count > root && w.base[w.count &- 1] != 0x2f { w.count &-= 1 }
  }
}
