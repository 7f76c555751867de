import CLuaHost
import WeftFilter
import WeftHTTP
import WeftIO

/// The piece of a body that a call is shown.
struct LuaChunk {
  /// In `onRequestBody` and `onResponseBody`; nil: the piece that the exchange holds while it is suspended.
  let current: UnsafeMutablePointer<BodyChunk>?
}

extension LuaAccessors {
  static func bodyState(_ x: UnsafeMutableRawPointer?, _ function: Int32) -> Int32 {
    guard let x = exchange(x) else { return Int32(WL_BODY_NONE) }
    let framing: BodyFraming
    if function == WL_ON_REQUEST {
      if !x.requestBody.isEmpty { return Int32(WL_BODY_READY) }
      framing = x.request.framing
    } else {
      if !x.responseBody.isEmpty { return Int32(WL_BODY_READY) }
      if x.isLocalResponse { return Int32(WL_BODY_NONE) }
      framing = x.response.framing
    }
    return Int32(framing == .none || framing == .length(0) ? WL_BODY_NONE : WL_BODY_COMING)
  }

  static func body(_ x: UnsafeMutableRawPointer?, _ function: Int32) -> wl_text {
    guard let x = exchange(x) else { return .none }
    return wl_text(function == WL_ON_REQUEST ? x.requestBody : x.responseBody)
  }

  static func setBody(_ x: UnsafeMutableRawPointer?, _ function: Int32, _ bytes: wl_text) -> Int32 {
    guard let x = exchange(x) else { return 0 }
    let fits =
      function == WL_ON_REQUEST
      ? x.replaceRequestBody(with: bytes.bytes) : x.replaceResponseBody(with: bytes.bytes)
    return fits ? 1 : 0
  }

  static func chunk(_ x: UnsafeMutableRawPointer?, _ chunk: UnsafeMutableRawPointer?) -> wl_text {
    guard let x = exchange(x), let chunk else { return .none }
    guard let current = chunk.assumingMemoryBound(to: LuaChunk.self).pointee.current else {
      return wl_text(x.heldChunk)
    }
    return wl_text(current.pointee.bytes)
  }

  static func setChunk(_ x: UnsafeMutableRawPointer?, _ chunk: UnsafeMutableRawPointer?, _ bytes: wl_text) -> Int32 {
    guard let x = exchange(x), let chunk else { return 0 }
    guard let current = chunk.assumingMemoryBound(to: LuaChunk.self).pointee.current else {
      return x.replaceHeldChunk(with: bytes.bytes) ? 1 : 0
    }
    return current.pointee.replace(with: bytes.bytes) ? 1 : 0
  }
}
