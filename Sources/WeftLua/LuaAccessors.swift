import CLuaHost
import WeftFilter
import WeftHTTP
import WeftIO

/// What the host asks of the exchange that a call handles. Called from C while Lua runs: nothing here raises, blocks or
/// calls back into the host.
enum LuaAccessors {
  static func table() -> wl_accessors {
    wl_accessors(
      classify: { LuaAccessors.classify($0) },
      field_values: { LuaAccessors.fieldValues($0, $1, $2, $3) },
      field_at: { LuaAccessors.fieldAt($0, $1, $2, $3) },
      field_row: { LuaAccessors.fieldRow($0, $1, $2, $3, $4, $5) },
      field_rows: { LuaAccessors.fieldRows($0, $1) },
      field_add: { LuaAccessors.change($0, $1, $2, $3, replaces: false) },
      field_replace: { LuaAccessors.change($0, $1, $2, $3, replaces: true) },
      field_remove: { LuaAccessors.remove($0, $1, $2) },
      pseudo_get: { LuaAccessors.pseudo($0, $1, $2, $3) },
      pseudo_set: { LuaAccessors.setPseudo($0, $1, $2, $3) },
      set_reason: { LuaAccessors.setReason($0, $1) },
      body_state: { LuaAccessors.bodyState($0, $1) },
      body_get: { LuaAccessors.body($0, $1) },
      body_set: { LuaAccessors.setBody($0, $1, $2) },
      chunk_get: { LuaAccessors.chunk($0, $1) },
      chunk_set: { LuaAccessors.setChunk($0, $1, $2) },
      respond: { LuaAccessors.respond($0, $1, $2, $3) },
      info: { LuaAccessors.info($0, $1, $2) },
      attempts: { LuaAccessors.exchange($0).map { Int64($0.attempts) } ?? 0 },
      dynamic_metadata: { LuaAccessors.dynamicMetadata($0, $1, $2) },
      dynamic_metadata_all: { LuaAccessors.dynamicMetadata($0, $1) },
      set_dynamic_metadata: { LuaAccessors.setDynamicMetadata($0, $1, $2, $3) },
      route_metadata: { LuaAccessors.routeMetadata($0, $1) },
      override_host: { LuaAccessors.overrideHost($0, $1, $2) },
      clear_route: { LuaAccessors.exchange($0)?.clearRoute() },
      drain: { LuaAccessors.exchange($0)?.drainConnection() },
      is_tls: { LuaAccessors.exchange($0)?.isTLS == true ? 1 : 0 },
      tls: { LuaAccessors.tls($0, $1, $2) },
      key_import: { LuaAccessors.owner($0)?.state.keys.key($1.bytes) == nil ? 0 : 1 },
      key_check: { LuaAccessors.checkSignature($0, $1, $2, $3, $4) },
      call_begin: { LuaAccessors.owner($0)?.beginCall(to: $1.bytes) == true ? 1 : 0 },
      call_field: { LuaAccessors.owner($0)?.addCallField($1, $2.bytes) },
      call_send: { LuaAccessors.sendCall($0, $1, $2, $3) },
      call_answer: { LuaAccessors.callAnswer($0, $1) },
      stat_open: { LuaAccessors.openStat($0, $1, $2) },
      stat_change: { LuaAccessors.changeStat($0, $1, $2, $3, $4) },
      stat_value: { LuaAccessors.statValue($0, $1, $2) },
      log_enabled: { LuaAccessors.owner($0)?.isLogged($1) == true ? 1 : 0 },
      log: { LuaAccessors.owner($0)?.log($1, $2.bytes) },
      library: LuaLibrary.table())
  }

  @inline(__always)
  static func exchange(_ x: UnsafeMutableRawPointer?) -> Exchange? {
    x.map { Exchange($0.assumingMemoryBound(to: ExchangeState.self)) }
  }

  static func owner(_ filter: UnsafeMutableRawPointer?) -> LuaFilter? {
    filter.map { Unmanaged<LuaFilter>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Fields

  @inline(__always)
  static func find(_ table: borrowing HeaderTable, _ name: Bytes, _ known: KnownHeader, from: Int = 0) -> Int? {
    known != .other ? table.find(known, from: from) : table.find(name, from: from)
  }

  private static func classify(_ name: UnsafeMutablePointer<wl_name>?) {
    guard let name else { return }
    let lower = name.pointee.lower.bytes
    let isToken = HeaderTable.isFieldName(lower)
    name.pointee.is_token = isToken ? 1 : 0
    name.pointee.known = isToken ? KnownHeader.classify(lower.base, lower.count).rawValue : 0
  }

  @inline(__always)
  private static func identify(_ name: UnsafePointer<wl_name>) -> (KnownHeader, Bytes) {
    // The number came from `classify`; the enumeration's cases are numbered as they are stored.
    (unsafeBitCast(name.pointee.known, to: KnownHeader.self), name.pointee.lower.bytes)
  }

  /// Calls `body` with the table that `which` names.
  @inline(__always)
  private static func with<R>(_ x: Exchange, _ which: Int32, _ body: (borrowing HeaderTable) -> R) -> R {
    switch Int(which) {
    case WL_REQUEST_HEADERS: body(x.request.headers)
    case WL_RESPONSE_HEADERS: body(x.response.headers)
    case WL_REQUEST_TRAILERS: body(x.requestTrailers)
    default: body(x.responseTrailers)
    }
  }

  @inline(__always)
  private static func withMutable<R>(_ x: Exchange, _ which: Int32, _ body: (inout HeaderTable) -> R) -> R {
    switch Int(which) {
    case WL_REQUEST_HEADERS: body(&x.request.headers)
    case WL_RESPONSE_HEADERS: body(&x.response.headers)
    case WL_REQUEST_TRAILERS: body(&x.requestTrailers)
    default: body(&x.responseTrailers)
    }
  }

  private static func fieldValues(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ given: UnsafePointer<wl_name>?,
    _ first: UnsafeMutablePointer<wl_text>?
  ) -> Int {
    guard let x = exchange(x), let given, let first else { return 0 }
    let (known, name) = identify(given)
    return with(x, which) { table in
      guard let i = find(table, name, known) else { return 0 }
      first.pointee = wl_text(table.value(at: i))
      var count = 1
      var at = i
      while let next = find(table, name, known, from: at &+ 1) {
        count &+= 1
        at = next
      }
      return count
    }
  }

  private static func fieldAt(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ given: UnsafePointer<wl_name>?, _ index: Int
  ) -> wl_text {
    guard let x = exchange(x), let given else { return .none }
    let (known, name) = identify(given)
    return with(x, which) { table in
      var at = -1
      for _ in 0...max(index, 0) {
        guard let next = find(table, name, known, from: at &+ 1) else { return .none }
        at = next
      }
      return wl_text(table.value(at: at))
    }
  }

  private static func fieldRow(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ row: UnsafeMutablePointer<Int>?, _ end: Int,
    _ name: UnsafeMutablePointer<wl_text>?, _ value: UnsafeMutablePointer<wl_text>?
  ) -> Int32 {
    guard let x = exchange(x), let row, let name, let value else { return 0 }
    return with(x, which) { table in
      while row.pointee < min(end, table.count) {
        let i = row.pointee
        row.pointee &+= 1
        if table.isRemoved(i) { continue }
        name.pointee = wl_text(table.name(at: i))
        value.pointee = wl_text(table.value(at: i))
        return 1
      }
      return 0
    }
  }

  private static func fieldRows(_ x: UnsafeMutableRawPointer?, _ which: Int32) -> Int {
    guard let x = exchange(x) else { return 0 }
    return with(x, which) { $0.count }
  }

  /// Fields that frame a message or belong to one connection. They are the proxy's, which writes them as they must be:
  /// a script's change has no effect, and so can split no message.
  @inline(__always)
  private static func isProxysOwn(_ known: KnownHeader) -> Bool {
    switch known {
    case .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .te, .trailer, .upgrade, .expect:
      true
    default: false
    }
  }

  private static func change(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ given: UnsafePointer<wl_name>?, _ value: wl_text, replaces: Bool
  ) -> Int32 {
    guard let x = exchange(x), let given else { return Int32(WL_NOT_SUPPORTED) }
    let (known, name) = identify(given)
    if isProxysOwn(known) { return Int32(WL_SET) }
    // One Host, and a valid one (RFC 9112 3.2).
    if known == .host && which == WL_REQUEST_HEADERS { return setAuthority(x, value.bytes) }
    return withMutable(x, which) { table in
      if replaces { removeAll(table, name, known) }
      return Int32(table.add(name, value.bytes, known: known) ? WL_SET : WL_FULL)
    }
  }

  @inline(__always)
  private static func removeAll(_ table: borrowing HeaderTable, _ name: Bytes, _ known: KnownHeader) {
    var at = find(table, name, known)
    while let i = at {
      table.remove(at: i)
      at = find(table, name, known, from: i &+ 1)
    }
  }

  private static func remove(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ given: UnsafePointer<wl_name>?
  ) -> Int32 {
    guard let x = exchange(x), let given else { return Int32(WL_NOT_SUPPORTED) }
    let (known, name) = identify(given)
    if isProxysOwn(known) { return Int32(WL_SET) }
    if known == .host && which == WL_REQUEST_HEADERS { return Int32(WL_NOT_SUPPORTED) }
    with(x, which) { removeAll($0, name, known) }
    return Int32(WL_SET)
  }

  // MARK: Pseudo fields

  private static func pseudo(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ pseudo: Int32, _ buffer: UnsafeMutablePointer<UInt8>?
  ) -> wl_text {
    guard let x = exchange(x), let buffer else { return .none }
    if which == WL_RESPONSE_HEADERS {
      if pseudo != WL_PSEUDO_STATUS || x.response.status <= 0 { return .none }
      var writer = ByteWriter(buffer, Int(WL_TEXT_BYTES))
      writer.append(decimal: UInt64(x.response.status))
      return wl_text(writer.bytes)
    }
    guard which == WL_REQUEST_HEADERS else { return .none }
    switch Int(pseudo) {
    case WL_PSEUDO_PATH: return wl_text(x.request.headers.text(x.request.target))
    case WL_PSEUDO_METHOD: return wl_text(x.request.headers.text(x.request.methodText))
    case WL_PSEUDO_AUTHORITY:
      guard let host = x.request.headers.value(.host) else { return .none }
      return wl_text(host)
    case WL_PSEUDO_SCHEME: return wl_text(x.scheme)
    default: return .none
    }
  }

  private static func setPseudo(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ pseudo: Int32, _ value: wl_text
  ) -> Int32 {
    guard let x = exchange(x) else { return Int32(WL_NOT_SUPPORTED) }
    let value = value.bytes
    switch (Int(which), Int(pseudo)) {
    case (WL_REQUEST_HEADERS, WL_PSEUDO_PATH):
      if !MessageHead.isTarget(value) { return Int32(WL_BAD_VALUE) }
      return Int32(x.request.setTarget(value) ? WL_SET : WL_FULL)
    case (WL_REQUEST_HEADERS, WL_PSEUDO_METHOD):
      if !HeaderTable.isFieldName(value) || value == Bytes("CONNECT") { return Int32(WL_BAD_VALUE) }
      return Int32(x.request.setMethod(value) ? WL_SET : WL_FULL)
    case (WL_REQUEST_HEADERS, WL_PSEUDO_AUTHORITY):
      return setAuthority(x, value)
    case (WL_RESPONSE_HEADERS, WL_PSEUDO_STATUS):
      guard let status = value.decimal, status >= 200, status <= 599 else { return Int32(WL_BAD_VALUE) }
      x.response.setStatus(Int(status))
      return Int32(WL_SET)
    default: return Int32(WL_NOT_SUPPORTED)
    }
  }

  private static let host = HeaderName("host")

  private static func setAuthority(_ x: Exchange, _ value: Bytes) -> Int32 {
    if !isAuthority(value) { return Int32(WL_BAD_VALUE) }
    return Int32(x.request.headers.set(host, value) ? WL_SET : WL_FULL)
  }

  /// Whether `value` holds only what a host and port can: no space, slash, `@` or comma that would make another program
  /// read another host.
  static func isAuthority(_ value: Bytes) -> Bool {
    if value.isEmpty || value.count > 262 { return false }
    for i in 0..<value.count {
      switch value[i] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
        continue
      default: return false
      }
    }
    return true
  }

  private static func setReason(_ x: UnsafeMutableRawPointer?, _ reason: wl_text) -> Int32 {
    guard let x = exchange(x) else { return Int32(WL_NOT_SUPPORTED) }
    return Int32(x.response.setReason(reason.bytes) ? WL_SET : WL_FULL)
  }

  // MARK: Answering

  private static func respond(
    _ x: UnsafeMutableRawPointer?, _ status: Int32, _ body: wl_text, _ isTyped: Int32
  ) -> Int32 {
    guard let x = exchange(x), body.count <= 16 << 20 else { return 0 }
    x.respond(
      Int(status), body: body.bytes, contentType: Bytes("text/plain"), details: "lua_response", isSeenBySelf: true)
    if isTyped != 0 { x.response.headers.remove(.contentType) }
    return 1
  }

  // MARK: Routing

  /// - Returns: 0 when `host` is no IP address.
  private static func overrideHost(_ x: UnsafeMutableRawPointer?, _ host: wl_text, _ isStrict: Int32) -> Int32 {
    guard SocketAddress(ip: host.bytes, defaultPort: 0) != nil else { return 0 }
    exchange(x)?.overrideUpstream(host.bytes, isStrict: isStrict != 0)
    return 1
  }
}
