import CLuaHost
import WeftIO

/// What `shared.c` asks.
extension LuaLibrary {
  static func openShared(
    _ context: UnsafeMutableRawPointer?, _ name: wl_text, _ error: UnsafeMutablePointer<wl_text>?
  ) -> UnsafeMutableRawPointer? {
    guard let environment = LuaEnvironment.of(context), let error else { return nil }
    guard let dictionary = environment.sharedDictionary(name.bytes.string) else {
      error.pointee = environment.lend("a bundle has \(SharedSpace.dictionaryLimit) shared dictionaries at the most")
      return nil
    }
    return Unmanaged.passUnretained(dictionary).toOpaque()
  }

  private static func dictionary(_ pointer: UnsafeMutableRawPointer?) -> SharedDictionary? {
    pointer.map { Unmanaged<SharedDictionary>.fromOpaque($0).takeUnretainedValue() }
  }

  /// When something ends that lives for `ttl` milliseconds; 0 never does.
  private static func end(_ ttl: UInt64, _ environment: LuaEnvironment) -> UInt64 {
    ttl == 0 ? 0 : environment.milliseconds &+ ttl
  }

  static func sharedGet(
    _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?, _ key: wl_text,
    _ value: UnsafeMutablePointer<wl_value>?
  ) {
    guard let environment = LuaEnvironment.of(context), let dictionary = dictionary(pointer), let value else { return }
    let now = environment.milliseconds
    dictionary.withShard(of: key.bytes) { shard, hash in
      guard let found = shard.get(key.bytes, hash, now: now) else { return }
      // Copied while the lock is held: another worker may take the entry away at any time.
      value.pointee = environment.lend(found)
    }
  }

  static func sharedSet(
    _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?, _ mode: Int32, _ key: wl_text,
    _ value: UnsafePointer<wl_value>?, _ ttl: UInt64
  ) -> Int32 {
    guard let environment = LuaEnvironment.of(context), let dictionary = dictionary(pointer),
      let value = value?.pointee.shared
    else { return Int32(WL_TOO_LARGE) }
    let exists: Bool? = mode == WL_SET_MISSING ? false : mode == WL_SET_THERE ? true : nil
    let (now, end) = (environment.milliseconds, end(ttl, environment))
    let outcome = dictionary.withShard(of: key.bytes) { shard, hash in
      shard.set(key.bytes, hash, value, expires: end, now: now, ifExists: exists)
    }
    return number(outcome)
  }

  static func sharedIncrement(
    _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?, _ key: wl_text,
    _ amount: UnsafePointer<wl_value>?, _ initial: UnsafePointer<wl_value>?, _ ttl: UInt64,
    _ result: UnsafeMutablePointer<wl_value>?
  ) -> Int32 {
    guard let environment = LuaEnvironment.of(context), let dictionary = dictionary(pointer),
      let amount = amount?.pointee.shared, let result
    else { return Int32(WL_TOO_LARGE) }
    let initial = initial?.pointee.shared
    let (now, end) = (environment.milliseconds, end(ttl, environment))
    let (outcome, sum) = dictionary.withShard(of: key.bytes) { shard, hash in
      shard.increment(key.bytes, hash, by: amount, initial: initial, expires: end, now: now)
    }
    if let sum { result.pointee = environment.lend(sum) }
    return number(outcome)
  }

  static func sharedDelete(
    _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?, _ key: wl_text
  ) -> Int32 {
    guard let environment = LuaEnvironment.of(context), let dictionary = dictionary(pointer) else { return 0 }
    let now = environment.milliseconds
    return dictionary.withShard(of: key.bytes) { $0.remove(key.bytes, $1, now: now) } ? 1 : 0
  }

  static func sharedTimeLeft(
    _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?, _ key: wl_text
  ) -> Int64 {
    guard let environment = LuaEnvironment.of(context), let dictionary = dictionary(pointer) else { return -1 }
    let now = environment.milliseconds
    return dictionary.withShard(of: key.bytes) { $0.timeLeft(key.bytes, $1, now: now) }.map { Int64(clamping: $0) }
      ?? -1
  }

  static func sharedCount(_ pointer: UnsafeMutableRawPointer?) -> Int { dictionary(pointer)?.count ?? 0 }

  static func sharedKeys(
    _ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?, _ most: Int
  ) -> wl_text {
    guard let environment = LuaEnvironment.of(context), let dictionary = dictionary(pointer) else { return .none }
    var tape = ValueTape()
    tape.append(strings: dictionary.keys(most, now: environment.milliseconds))
    return environment.lend(tape)
  }

  static func sharedFlush(_ pointer: UnsafeMutableRawPointer?) { dictionary(pointer)?.removeAll() }

  private static func number(_ outcome: SharedShard.Outcome) -> Int32 {
    switch outcome {
    case .stored: Int32(WL_STORED)
    case .exists: Int32(WL_THERE)
    case .missing: Int32(WL_MISSING)
    case .tooLarge: Int32(WL_TOO_LARGE)
    }
  }
}

extension wl_value {
  /// nil for WL_NIL.
  var shared: SharedValue? {
    switch Int(kind) {
    case WL_BOOLEAN: .boolean(integer != 0)
    case WL_INTEGER: .integer(integer)
    case WL_NUMBER: .number(number)
    case WL_STRING: .string(text.bytes)
    default: nil
    }
  }
}

extension LuaEnvironment {
  /// The worker's monotonic milliseconds.
  var milliseconds: UInt64 { monotonic / 1_000_000 }

  /// A value whose bytes, if it has any, are copied and valid until the next one is lent.
  func lend(_ value: SharedValue) -> wl_value {
    switch value {
    case .boolean(let flag): wl_value(kind: Int32(WL_BOOLEAN), integer: flag ? 1 : 0, number: 0, text: .none)
    case .integer(let number): wl_value(kind: Int32(WL_INTEGER), integer: number, number: 0, text: .none)
    case .number(let number): wl_value(kind: Int32(WL_NUMBER), integer: 0, number: number, text: .none)
    case .string(let bytes): wl_value(kind: Int32(WL_STRING), integer: 0, number: 0, text: lend(bytes))
    }
  }
}
