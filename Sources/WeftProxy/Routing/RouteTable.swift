import WeftHTTP
import WeftIO
import WeftRegex

/// The answer of a route table.
struct RouteMatch: Equatable {
  /// The rule's index; -1: none.
  var target = -1
  /// For a PathPrefix match, how many bytes of the path it covers, so that ReplacePrefixMatch can replace them: a
  /// trailing slash in the configured prefix is not counted, and `/` covers none. -1 for other kinds of match.
  var prefixLength = -1
  /// Some route names the request's host. Tells a 404 for an unknown host from one for an unknown path.
  var hostMatched = false
  /// A regular expression could not be evaluated within its limits, or a value was too long for one. The request must
  /// be refused: a less specific route could be one that this request must not take.
  var failed = false
}

/// All routes of a port, compiled once for a configuration, immutable, shared by all workers.
///
/// A look-up costs the same for ten routes as for ten thousand: one hash of the host, one of each path element, as deep
/// as routes go. What grows is what shares one host and path, and regular expressions for paths of one host: these are
/// tried in turn. `RoutePrecedence` has the order. It allocates nothing, touches no reference count, and is given large
/// structs by pointer, for the compiler would copy them.
final class RouteTable: @unchecked Sendable {
  // Sendable because nothing writes to the storage between init and deinit.
  private let storage: RouteStorage

  /// Compiles `specs`.
  /// - Parameter listenerHostnames: hostnames of the port's listeners, `*` for one without; those that the specs name
  ///   need not be given. A listener without routes still takes its requests away from less specific ones.
  init(_ specs: [RouteMatchSpec], listenerHostnames: [String] = []) throws(RouteTableError) {
    var builder = RouteTableBuilder()
    storage = try builder.build(specs, listenerHostnames: listenerHostnames)
  }

  deinit { storage.deallocate() }

  /// Finds the route for a request.
  /// - Parameters:
  ///   - host: value of the Host field, with or without port, in any case.
  ///   - path: the normalised path (see `PathNormalizer`), without query.
  ///   - query: without its `?`.
  func match(
    host: Bytes, method: Method, methodText: Bytes, path: Bytes, query: Bytes, headers: UnsafePointer<HeaderTable>,
    scratch: UnsafePointer<RouteScratch>
  ) -> RouteMatch {
    var request = RequestValues(method: method, methodText: methodText, query: query)
    var result = RouteMatch()
    var h = findHost(host, scratch)
    do throws(PatternMatchError) {
      while h >= 0 {
        let host = storage.hosts[h]
        if host.root >= 0 {
          result.hostMatched = true
          let e = try findEntry(host, path, &request, headers, scratch)
          if e >= 0 {
            let entry = storage.entries[e]
            result.target = Int(entry.target)
            result.prefixLength = Int(entry.prefixLength)
            return result
          }
        }
        h = Int(host.next)
      }
    } catch {
      result.failed = true
    }
    return result
  }

  // MARK: Host

  /// The most specific host that matches, or -1.
  @inline(__always)
  private func findHost(_ field: Bytes, _ scratch: UnsafePointer<RouteScratch>) -> Int {
    if storage.takesAnyHost { return storage.anyHost }
    let n = RequestHost.nameLength(field)
    if n == 0 || n > RouteScratch.hostLimit { return storage.anyHost }
    let name = scratch.pointee.host
    if n >= 8 {
      var i = 0
      while i < n {
        // The last eight bytes end with the name and may overlap those before.
        let at = min(i, n &- 8)
        let word = WordHash.lower(WordHash.load(field.base + at))
        UnsafeMutableRawPointer(name + at).storeBytes(of: word.littleEndian, as: UInt64.self)
        i &+= 8
      }
    } else {
      for i in 0..<n { name[i] = asciiLower(field[i]) }
    }
    UnsafeMutableRawPointer(name + n).storeBytes(of: 0, as: UInt64.self)

    // A name that begins with a dot is a wildcard in the table, which no host is.
    let exact = name[0] == 0x2e ? -1 : lookUp(Bytes(BytePointer(name), n), scratch)
    if exact >= 0 { return exact }
    if storage.hasWildcards {
      var dot = 1
      while dot < n {
        if name[dot] == 0x2e && storage.wildcardLengths[n &- dot] {
          let wildcard = lookUp(Bytes(BytePointer(name + dot), n &- dot), scratch)
          if wildcard >= 0 { return wildcard }
        }
        dot &+= 1
      }
    }
    return storage.anyHost
  }

  @inline(__always)
  private func lookUp(_ name: Bytes, _ scratch: UnsafePointer<RouteScratch>) -> Int {
    let hash = UInt32(truncatingIfNeeded: WordHash.padded(name.base, name.count))
    let mask = storage.hostSlots.count &- 1
    var i = Int(hash) & mask
    while true {
      scratch.pointee.countStep()
      let slot = storage.hostSlots[i]
      if slot.index < 0 { return -1 }
      if slot.hash == hash {
        let host = storage.hosts[Int(slot.index)]
        if Bytes(storage.text.bytes.base + Int(host.nameStart), Int(host.nameCount)) == name { return Int(slot.index) }
      }
      i = (i &+ 1) & mask
    }
  }

  // MARK: Path

  /// The first entry of `host` that holds, or -1.
  @inline(__always)
  private func findEntry(
    _ host: RouteStorage.Host, _ path: Bytes, _ request: inout RequestValues, _ headers: UnsafePointer<HeaderTable>,
    _ scratch: UnsafePointer<RouteScratch>
  ) throws(PatternMatchError) -> Int {
    var node = Int(host.root)
    var isWhole = false
    // `OPTIONS *` has no path: only `/`, which matches every request, and regular expressions can match it.
    if path.count > 0 && path[0] == 0x2f {
      var start = 1
      while storage.nodes[node].hasChildren {
        let (end, hash) = WordHash.element(path, start, seed: WordHash.seed(node))
        let child = lookUp(node, Bytes(path.base + start, end &- start), hash, scratch)
        if child < 0 { break }
        node = child
        start = end &+ 1
        if end == path.count {
          isWhole = true
          break
        }
      }
    }
    let found = storage.nodes[node]
    if isWhole && found.exactStart < found.exactEnd {
      let e = try first(found.exactStart, found.exactEnd, path, &request, headers, scratch)
      if e >= 0 { return e }
    }
    if host.regexStart < host.regexEnd {
      let e = try firstRegex(host, path, &request, headers, scratch)
      if e >= 0 { return e }
    }
    var p = found.prefixStart < found.prefixEnd ? node : Int(found.nextPrefix)
    while p >= 0 {
      let above = storage.nodes[p]
      let e = try first(above.prefixStart, above.prefixEnd, path, &request, headers, scratch)
      if e >= 0 { return e }
      p = Int(above.nextPrefix)
    }
    return -1
  }

  /// The child of `parent` for a path element, or -1.
  @inline(__always)
  private func lookUp(_ parent: Int, _ element: Bytes, _ hash: UInt64, _ scratch: UnsafePointer<RouteScratch>) -> Int {
    let hash = UInt32(truncatingIfNeeded: hash)
    let mask = storage.nodeSlots.count &- 1
    var i = Int(hash) & mask
    while true {
      scratch.pointee.countStep()
      let slot = storage.nodeSlots[i]
      if slot.index < 0 { return -1 }
      if slot.hash == hash {
        let node = storage.nodes[Int(slot.index)]
        if Int(node.parent) == parent
          && Bytes(storage.text.bytes.base + Int(node.textStart), Int(node.textCount)) == element
        {
          return Int(slot.index)
        }
      }
      i = (i &+ 1) & mask
    }
  }

  @inline(__always)
  private func first(
    _ start: Int32, _ end: Int32, _ path: Bytes, _ request: inout RequestValues, _ headers: UnsafePointer<HeaderTable>,
    _ scratch: UnsafePointer<RouteScratch>
  ) throws(PatternMatchError) -> Int {
    var e = Int(start)
    while e < Int(end) {
      if storage.entries[e].isUnconditional {
        scratch.pointee.countStep()
        return e
      }
      if try storage.holds(storage.entries[e], &request, headers.pointee, scratch.pointee) {
        // Of a gRPC method: behind prefixes, and itself with an expression.
        guard let pattern = storage.entries[e].pattern else { return e }
        if try RouteStorage.matches(pattern, path, scratch.pointee) { return e }
      }
      e &+= 1
    }
    return -1
  }

  private func firstRegex(
    _ host: RouteStorage.Host, _ path: Bytes, _ request: inout RequestValues, _ headers: UnsafePointer<HeaderTable>,
    _ scratch: UnsafePointer<RouteScratch>
  ) throws(PatternMatchError) -> Int {
    var e = Int(host.regexStart)
    while e < Int(host.regexEnd) {
      let entry = storage.entries[e]
      // The cheaper question first; both have to be answered with yes.
      if let pattern = entry.pattern, try storage.holds(entry, &request, headers.pointee, scratch.pointee),
        try RouteStorage.matches(pattern, path, scratch.pointee)
      {
        return e
      }
      e &+= 1
    }
    return -1
  }
}
