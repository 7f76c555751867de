import CLuaHost
import WeftFilter
import WeftHTTP
import WeftIO

extension LuaAccessors {
  static func info(
    _ x: UnsafeMutableRawPointer?, _ which: Int32, _ buffer: UnsafeMutablePointer<UInt8>?
  ) -> wl_text {
    guard let x = exchange(x), let buffer else { return .none }
    func text(_ address: SocketAddress) -> wl_text {
      var writer = ByteWriter(buffer, Int(WL_TEXT_BYTES))
      address.append(to: &writer)
      return wl_text(writer.bytes)
    }
    switch Int(which) {
    case WL_INFO_PROTOCOL: return wl_text(x.request.version.name)
    case WL_INFO_ROUTE: return wl_text(x.routeName)
    case WL_INFO_SERVICE: return wl_text(x.serviceName)
    case WL_INFO_LOCAL_ADDRESS: return text(x.localAddress)
    case WL_INFO_REMOTE_ADDRESS: return text(x.clientAddress)
    case WL_INFO_DIRECT_REMOTE_ADDRESS: return text(x.peerAddress)
    case WL_INFO_UPSTREAM_ADDRESS: return text(x.upstreamAddress)
    case WL_INFO_DETAILS: return wl_text(Bytes(x.responseDetails))
    case WL_INFO_SERVER_NAME: return x.tls.map { wl_text($0.serverNameBytes.bytes) } ?? .none
    case WL_INFO_FLAGS:
      var writer = ByteWriter(buffer, Int(WL_TEXT_BYTES))
      x.responseFlags.append(to: &writer, long: false)
      return wl_text(writer.bytes)
    default: return .none
    }
  }

  // MARK: Metadata

  static func dynamicMetadata(
    _ x: UnsafeMutableRawPointer?, _ filter: UnsafeMutableRawPointer?, _ namespace: wl_text
  ) -> wl_text {
    guard let x = exchange(x), let fields = x.metadata.values[namespace.bytes.string] else { return .none }
    return owner(filter)?.state.lendTape { $0.append(fields) } ?? .none
  }

  static func dynamicMetadata(_ x: UnsafeMutableRawPointer?, _ filter: UnsafeMutableRawPointer?) -> wl_text {
    guard let x = exchange(x) else { return .none }
    return owner(filter)?.state.lendTape { $0.append(x.metadata.values) } ?? .none
  }

  static func setDynamicMetadata(
    _ x: UnsafeMutableRawPointer?, _ filter: wl_text, _ key: wl_text, _ tape: wl_text
  ) -> Int32 {
    guard let x = exchange(x), let value = ValueTapeReader.value(tape.bytes) else { return 0 }
    return x.metadata.set(filter.bytes.string, key.bytes.string, value) ? 1 : 0
  }

  /// What the route says for this filter: under its own name, or for any Lua filter.
  static func routeMetadata(_ x: UnsafeMutableRawPointer?, _ filter: UnsafeMutableRawPointer?) -> wl_text {
    guard let x = exchange(x), let values = x.routeMetadata?.values else { return .none }
    guard let filter = owner(filter) else { return .none }
    let own = values[filter.type.filterName] ?? values["lua"] ?? values["envoy.filters.http.lua"]
    return own.map { fields in filter.state.lendTape { $0.append(fields) } } ?? .none
  }
}
