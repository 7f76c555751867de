import CLuaHost
import WeftBundle
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

extension LuaLibrary {
  /// An exchange that has ended, as `handle:record()` gives it. What is not known is left out.
  static func record(_ context: UnsafeMutableRawPointer?, _ x: UnsafeMutableRawPointer?) -> wl_text {
    guard let environment = LuaEnvironment.of(context), let x = LuaAccessors.exchange(x) else { return .none }
    var fields: [SettingsValue.Field] = []
    func add(_ name: String, _ value: SettingsValue) { fields.append(SettingsValue.Field(name, value)) }
    func add(_ name: String, text: Bytes) { if !text.isEmpty { add(name, .string(text.string)) } }
    func add(_ name: String, _ address: SocketAddress) {
      if address.port != 0 || address.ip != nil || address.unixPath != nil { add(name, .string("\(address)")) }
    }
    if x.finalStatus > 0 { add("status", .integer(x.finalStatus)) }
    add("duration", .number(Double(x.now &- x.started) / 1e9))
    add("started", .number(Double(x.startedAt) / 1e9))
    add("received_bytes", .integer(Int(clamping: x.receivedBytes)))
    add("sent_bytes", .integer(Int(clamping: x.sentBytes)))
    add("method", text: x.request.headers.text(x.request.methodText))
    add("path", text: x.request.headers.text(x.request.target))
    add("authority", text: x.request.headers.value(.host) ?? Bytes())
    add("protocol", text: x.request.version.name)
    add("scheme", text: x.scheme)
    add("flags", .array(flags(x.responseFlags)))
    add("details", text: Bytes(x.responseDetails))
    add("route", text: x.routeName)
    add("service", text: x.serviceName)
    add("listener", text: x.listenerName)
    add("attempts", .integer(x.attempts))
    add("upstream", x.upstreamAddress)
    add("client", x.clientAddress)
    add("peer", x.peerAddress)
    var tape = ValueTape()
    tape.append(.object(fields))
    return environment.lend(tape)
  }

  private static func flags(_ flags: ResponseFlags) -> [SettingsValue] {
    ResponseFlags.names.indices.filter { flags.rawValue & (1 << UInt32($0)) != 0 }.map {
      .string("\(ResponseFlags.names[$0].short)")
    }
  }
}
