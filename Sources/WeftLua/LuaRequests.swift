import CLuaHost
import WeftFilter
import WeftHTTP
import WeftIO

/// A request of a script's to a service (`weft.http`): under way, or answered and not yet read.
final class LuaRequest {
  /// The coroutine that made it; it forgets its requests before it ends.
  let slot: UnsafeMutablePointer<wl_slot>
  let waiter: LuaWaiter
  /// What the host's `http.c` reads.
  var answer: ValueTape?

  init(slot: UnsafeMutablePointer<wl_slot>, waiter: LuaWaiter) {
    self.slot = slot
    self.waiter = waiter
  }
}

/// Who goes on when an answer has come.
enum LuaWaiter {
  case exchange(ExchangeReference)
  case work(Unmanaged<LuaWork>)
}

/// The requests of one state.
struct LuaRequests {
  /// Requests of a state under way at a time.
  static let limit = 4096

  var call: ServiceCall?
  var open: [UInt64: LuaRequest] = [:]
  var next: UInt64 = 1
  /// The request that a script is in the middle of sending; 0: none.
  var sending: UInt64 = 0
}

extension LuaEnvironment {
  /// Begins a request of a filter's, or of work in the background.
  /// - Returns: false when the service is not allowed.
  func beginRequest(_ filter: LuaFilter?, _ service: Bytes) -> Bool {
    let name = service.string
    guard let reference = filter.map({ $0.type.services[name] }) ?? services[name] else {
      filter?.hasMissedService = true
      return false
    }
    requests.call = ServiceCall(service: reference, authority: name)
    return true
  }

  func addRequestField(_ name: Bytes, _ value: Bytes) {
    requests.call?.headers.append((name.string, value.string))
  }

  /// Sends it.
  /// - Returns: its number, or 0 when it is malformed.
  func sendRequest(_ slot: UnsafeMutablePointer<wl_slot>, _ parts: wl_http_request) -> UInt64 {
    guard var call = requests.call, let worker else { return 0 }
    requests.call = nil
    if !HeaderTable.isFieldName(parts.method.bytes) || parts.method.bytes == Bytes("CONNECT") { return 0 }
    if !MessageHead.isTarget(parts.path.bytes) { return 0 }
    if parts.authority.base != nil {
      if !LuaAccessors.isAuthority(parts.authority.bytes) { return 0 }
      call.authority = parts.authority.bytes.string
    }
    call.method = parts.method.bytes.string
    call.target = parts.path.bytes.string
    call.body = parts.body.bytes.array
    call.timeout = parts.milliseconds
    call.responseLimit = program.limits.body
    let waiter: LuaWaiter
    if let x = LuaAccessors.exchange(slot.pointee.exchange) {
      waiter = .exchange(x.reference)
      call.owner = x.reference
    } else if let work = slot.pointee.work {
      waiter = .work(Unmanaged<LuaWork>.fromOpaque(work))
    } else {
      return 0
    }
    let number = requests.next
    requests.next += 1
    let request = LuaRequest(slot: slot, waiter: waiter)
    requests.open[number] = request
    if requests.open.count > LuaRequests.limit {
      request.answer = .failure("too many requests are under way", "refused")
      return number
    }
    requests.sending = number
    let isSent = worker.call(call) { [weak self] result in self?.take(result, number) }
    requests.sending = 0
    if !isSent { request.answer = .failure("the service takes no more requests", "refused") }
    return number
  }

  private func take(_ result: borrowing ServiceCallResult, _ number: UInt64) {
    guard let request = requests.open[number] else { return }
    if result.status == 0 {
      request.answer = .failure(result.failure, Self.kind(result.failure))
    } else {
      var tape = ValueTape()
      tape.append(result)
      request.answer = tape
    }
    // The script that is in the middle of sending it looks by itself; and one wake-up is enough for several answers.
    if requests.sending == number || request.slot.pointee.wake_queued != 0 { return }
    request.slot.pointee.wake_queued = 1
    switch request.waiter {
    case .exchange(let reference): worker?.resume(reference)
    case .work(let work): work.takeUnretainedValue().wake()
    }
  }

  private static func kind(_ failure: String) -> String {
    if failure.hasSuffix("timeout") { return "timeout" }
    return failure.hasSuffix("too_large") ? "too_large" : "refused"
  }

  func isAnswered(_ number: UInt64) -> Bool { requests.open[number].map { $0.answer != nil } ?? true }

  func takeAnswer(_ number: UInt64) -> wl_text {
    guard let answer = requests.open.removeValue(forKey: number)?.answer else { return .none }
    return lend(answer)
  }

  /// Nobody waits for what this coroutine has asked any more.
  func forgetRequests(of slot: UnsafeMutablePointer<wl_slot>) {
    requests.open = requests.open.filter { $0.value.slot != slot }
  }
}

extension ValueTape {
  fileprivate static func failure(_ message: String, _ kind: String) -> ValueTape {
    var tape = ValueTape()
    tape.append(["failure": .string(message.isEmpty ? "no answer" : message), "kind": .string(kind)])
    return tape
  }

  /// An answer as scripts see it.
  fileprivate mutating func append(_ result: borrowing ServiceCallResult) {
    var names: [String] = []
    var values: [String: [[UInt8]]] = [:]
    result.forEachHeader { name, value in
      let name = name.string.lowercased()
      if values[name] == nil { names.append(name) }
      values[name, default: []].append(value.array)
    }
    append(objectOf: 4)
    append(name: "status")
    append(integer: Int64(result.status))
    append(name: "headers")
    append(objectOf: names.count)
    for name in names {
      append(name: name)
      append(bytes: Array((values[name] ?? []).joined(separator: Array(", ".utf8))))
    }
    append(name: "all_headers")
    append(objectOf: names.count)
    for name in names {
      append(name: name)
      append(strings: values[name] ?? [])
    }
    append(name: "body")
    append(bytes: result.body.array)
  }
}

/// What `http.c` and `all.c` ask.
extension LuaLibrary {
  static func beginRequest(
    _ context: UnsafeMutableRawPointer?, _ filter: UnsafeMutableRawPointer?, _ service: wl_text
  ) -> Int32 {
    LuaEnvironment.of(context)?.beginRequest(LuaAccessors.owner(filter), service.bytes) == true ? 1 : 0
  }

  static func sendRequest(
    _ context: UnsafeMutableRawPointer?, _ slot: UnsafeMutablePointer<wl_slot>?,
    _ parts: UnsafePointer<wl_http_request>?
  ) -> UInt64 {
    guard let environment = LuaEnvironment.of(context), let slot, let parts else { return 0 }
    return environment.sendRequest(slot, parts.pointee)
  }
}
