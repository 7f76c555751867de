import CLuaHost
import WeftBundle
import WeftFilter
import WeftIO

/// The answer to a script's call of a service, from when it comes until the script has it.
final class LuaCallAnswer {
  private var status = 0
  private var headers: [(name: String, value: String)] = []
  private var body: [UInt8] = []
  /// Give every value of a field that comes several times, and not the last alone.
  private let keepsDuplicates: Bool

  init(keepsDuplicates: Bool) { self.keepsDuplicates = keepsDuplicates }

  func take(_ result: borrowing ServiceCallResult) {
    if result.status == 0 { return fail(isTimeout: result.isTimeout) }
    status = result.status
    result.forEachHeader { headers.append(($0.string.lowercased(), $1.string)) }
    body = result.body.array
  }

  /// What a script is told when no answer came, as Envoy tells it.
  func fail(isTimeout: Bool = false) {
    status = isTimeout ? 504 : 503
    body = Array((isTimeout ? "upstream request timeout" : "upstream failure").utf8)
  }

  /// The headers and the body, as the host's `httpcall.c` reads them.
  func write(_ tape: inout ValueTape) {
    var fields: [(name: String, values: [String])] = [(":status", ["\(status)"])]
    for (name, value) in headers {
      if let i = fields.firstIndex(where: { $0.name == name }) {
        if keepsDuplicates { fields[i].values.append(value) } else { fields[i].values = [value] }
      } else {
        fields.append((name, [value]))
      }
    }
    let table = SettingsValue.object(
      fields.map { field in
        let values = field.values.map { SettingsValue.string($0) }
        return SettingsValue.Field(field.name, values.count == 1 ? values[0] : .array(values))
      })
    tape.append(pairOf: table, body: body)
  }
}

/// Calls of services, step by step as a script's arguments are read.
extension LuaFilter {
  func beginCall(to service: Bytes) -> Bool {
    guard let reference = type.services[service.string] else {
      hasMissedService = true
      return false
    }
    state.call = ServiceCall(service: reference, authority: "")
    return true
  }

  func addCallField(_ name: UnsafePointer<wl_name>?, _ value: Bytes) {
    guard let name else { return }
    switch Int(name.pointee.pseudo) {
    case 0: state.call?.headers.append((name.pointee.lower.bytes.string, value.string))
    case WL_PSEUDO_PATH: state.call?.target = value.string
    case WL_PSEUDO_METHOD: state.call?.method = value.string
    case WL_PSEUDO_AUTHORITY: state.call?.authority = value.string
    // There is no scheme to choose, and a request has no status.
    default: break
    }
  }

  /// - Returns: whether the answer is still to come; otherwise it is in `x`'s waiting calls.
  func sendCall(_ x: Exchange, _ body: Bytes, _ options: wl_call_options) -> Bool {
    guard var call = state.call else { return false }
    state.call = nil
    call.body = body.array
    call.timeout = options.milliseconds
    call.responseLimit = type.program.limits.body
    if options.forwarded_for != 0, let address = x.localAddress.ip {
      call.headers.append(("x-forwarded-for", "\(address)"))
    }
    let worker = x.worker
    if options.asynchronous != 0 {
      _ = worker.call(call) { _ in }
      return false
    }
    let answer = LuaCallAnswer(keepsDuplicates: options.duplicates != 0)
    WaitingCalls.make(x).pointee.answer = answer
    let reference = x.reference
    call.owner = reference
    let isSent = worker.call(call) { [unowned worker] result in
      answer.take(result)
      worker.resume(reference)
    }
    if !isSent { answer.fail() }
    return isSent
  }
}

extension LuaAccessors {
  static func sendCall(
    _ x: UnsafeMutableRawPointer?, _ filter: UnsafeMutableRawPointer?, _ body: wl_text, _ options: wl_call_options
  ) -> Int32 {
    guard let x = exchange(x), let filter = owner(filter) else { return 0 }
    return filter.sendCall(x, body.bytes, options) ? 1 : 0
  }

  static func callAnswer(_ x: UnsafeMutableRawPointer?, _ filter: UnsafeMutableRawPointer?) -> wl_text {
    guard let x = exchange(x), let waiting = WaitingCalls.of(x), let answer = waiting.pointee.answer else {
      return .none
    }
    waiting.pointee.answer = nil
    return owner(filter)?.state.lendTape { answer.write(&$0) } ?? .none
  }
}
