import WeftIO

/// The table's lines on their way to the peer.
extension HeaderTable {
  /// Writes the field lines. Neighbouring unchanged lines are copied as one run.
  /// - Parameter startLine: length of the received start line, which is written before them; 0 for none.
  @inlinable
  public func serialise(startLine: Int = 0, into w: inout ByteWriter) {
    var i = 0
    if startLine > 0 {
      // Lines that nobody has touched follow the start line in the received head as they stand.
      i = untouched(from: 0)
      w.append(wireBase, i > 0 ? lineEnd(i &- 1) : startLine)
    }
    while i < fieldCount {
      let f = fields[i]
      if f.flags.rawValue & 1 != 0 {
        i &+= 1
      } else if f.flags.rawValue & 4 != 0 {
        i &+= 1
        w.append(name(f))
        w.append(": ")
        w.append(value(f))
        w.append("\r\n")
      } else {
        let start = Int(f.nameStart)
        i = f.flags.rawValue == 0 ? untouched(from: i &+ 1) : addedRun(from: i)
        w.append(textBase(f) + start, lineEnd(i &- 1) &- start)
      }
    }
  }

  /// The first row at or after `i` that is not a received line as it stands. Those before it are one run of bytes.
  @inlinable @inline(__always)
  func untouched(from i: Int) -> Int {
    var i = i
    while i < fieldCount && fields[i].flags.rawValue == 0 { i &+= 1 }
    return i
  }

  /// The first row behind `i` whose line does not follow the one before it in the arena.
  @inlinable @inline(__always)
  func addedRun(from i: Int) -> Int {
    var i = i &+ 1
    while i < fieldCount && fields[i].flags == .inArena && Int(fields[i].nameStart) == lineEnd(i &- 1) { i &+= 1 }
    return i
  }

  /// Where the regular line of row `i` ends.
  @inlinable @inline(__always)
  func lineEnd(_ i: Int) -> Int { Int(fields[i].valueStart) &+ Int(fields[i].valueLength) &+ 2 }
}
