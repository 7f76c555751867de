import WeftIO

/// The forms of a request target other than a plain path (RFC 9112 3.2).
enum RequestTarget {
  /// Resolves the target that `m` was given as received, whose bytes are known to be valid.
  /// - Parameter authority: receives host and port of an absolute target, which are to replace Host.
  static func resolve(_ m: inout MessageHead, authority: inout TextReference) -> HTTPParseError? {
    let text = m.headers.text(m.target)
    if m.method == .connect {
      // What the target names counts, whatever Host says (RFC 9110 9.3.6).
      authority = m.target
      return HostSyntax.isAuthority(text, needsPort: true) ? nil : .targetAuthority
    }
    if text.isEmpty { return .requestLineInvalid }
    if text[0] == 0x2a && text.count == 1 { return m.method == .options ? nil : .targetAsterisk }
    return absolute(text, &m, &authority)
  }

  /// `scheme "://" authority path ["?" query]`: the path becomes the target (RFC 9112 3.2.2).
  private static func absolute(
    _ text: Bytes, _ m: inout MessageHead, _ authority: inout TextReference
  ) -> HTTPParseError? {
    guard let colon = text.firstIndex(of: 0x3a), colon > 0, isScheme(text.slice(0, colon)) else { return .targetForm }
    let hostStart = colon &+ 3
    if text.count < hostStart || text[colon &+ 1] != 0x2f || text[colon &+ 2] != 0x2f { return .targetForm }
    let scheme = text.slice(0, colon)
    if !scheme.equalsIgnoringCase(Bytes("http")) && !scheme.equalsIgnoringCase(Bytes("https")) { return .targetScheme }
    var hostEnd = hostStart
    while hostEnd < text.count && text[hostEnd] != 0x2f && text[hostEnd] != 0x3f { hostEnd &+= 1 }
    if !HostSyntax.isAuthority(text.slice(hostStart, hostEnd), needsPort: false) { return .hostInvalid }

    let offset = Int(m.target.start)
    authority = TextReference(start: offset &+ hostStart, count: hostEnd &- hostStart)
    m.startLineLength = 0
    if hostEnd == text.count {
      return store(m.method == .options ? "*" : "/", &m, pathLength: 1)
    }
    if text[hostEnd] == 0x3f { return storeWithSlash(text.slice(hostEnd, text.count), &m) }
    m.target = TextReference(start: offset &+ hostEnd, count: text.count &- hostEnd)
    m.pathLength = m.pathLength &- hostEnd
    return nil
  }

  /// RFC 3986 3.1.
  private static func isScheme(_ name: Bytes) -> Bool {
    if (name[0] | 0x20) &- 0x61 >= 26 { return false }
    var i = 1
    while i < name.count {
      let c = name[i]
      if (c | 0x20) &- 0x61 >= 26 && c &- 0x30 >= 10 && c != 0x2b && c != 0x2d && c != 0x2e { return false }
      i &+= 1
    }
    return true
  }

  private static func store(_ path: StaticString, _ m: inout MessageHead, pathLength: Int) -> HTTPParseError? {
    guard let stored = m.headers.store(Bytes(path)) else { return .headTooLarge }
    m.target = stored
    m.pathLength = pathLength
    return nil
  }

  /// `http://host?query` has an empty path, which is sent as `/`.
  private static func storeWithSlash(_ query: Bytes, _ m: inout MessageHead) -> HTTPParseError? {
    guard let slash = m.headers.store(Bytes("/")), let rest = m.headers.store(query) else { return .headTooLarge }
    m.target = TextReference(start: Int(slash.start), count: Int(slash.count &+ rest.count), inArena: true)
    m.pathLength = 1
    return nil
  }
}
