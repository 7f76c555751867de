import CLuaHost
import WeftCrypto
import WeftIO

/// The public keys that a state's scripts used last, read once.
struct LuaKeys {
  private var keys: [(der: [UInt8], key: PublicKey)] = []

  /// Keys that are kept.
  private static let limit = 32

  /// The key of that DER encoding; nil for what is none.
  mutating func key(_ der: Bytes) -> PublicKey? {
    if let i = keys.firstIndex(where: { $0.der.count == der.count && $0.der.elementsEqual(der.array) }) {
      return keys[i].key
    }
    let bytes = UnsafeRawBufferPointer(start: der.base, count: der.count)
    guard let key = try? PublicKey(bytes), key.kind != .ed25519 else { return nil }
    if keys.count == Self.limit { keys.removeFirst() }
    keys.append((der.array, key))
    return key
  }
}

extension LuaAccessors {
  static func checkSignature(
    _ filter: UnsafeMutableRawPointer?, _ digest: wl_text, _ der: wl_text, _ signature: wl_text, _ data: wl_text
  ) -> Int32 {
    guard let key = owner(filter)?.state.keys.key(der.bytes) else { return Int32(WL_SIGNATURE_NO_KEY) }
    guard let digest = SignatureDigest(name: digest.bytes) else { return Int32(WL_SIGNATURE_UNKNOWN_DIGEST) }
    let isRight = key.verifies(signature.bytes, over: data.bytes, digest: digest)
    return Int32(isRight ? WL_SIGNATURE_RIGHT : WL_SIGNATURE_WRONG)
  }
}
