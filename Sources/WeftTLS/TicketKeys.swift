import COpenSSL
import Glibc
import Synchronization
import WeftCrypto

/// The keys under which a server encrypts the session tickets that it hands to clients (RFC 5077 section 4). All workers
/// share them, so that a client resumes with whichever it meets. Rotation keeps two older keys for tickets in the
/// field; what is older than that cannot be resumed.
public final class TicketKeys: @unchecked Sendable {
  struct Key {
    var name: (UInt64, UInt64) = (0, 0)
    var cipher: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var mac: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  }

  /// Newest first. Readers hold no lock: a set never changes, and is freed long after it has been replaced.
  private struct Set {
    var keys: (Key, Key, Key)
    var count: Int
  }

  private let current = Atomic<UInt>(0)
  private var retired: [UnsafeMutablePointer<Set>] = []
  private static let retiredLimit = 8

  public init() throws(CryptoError) {
    let set = UnsafeMutablePointer<Set>.allocate(capacity: 1)
    set.initialize(to: Set(keys: (Key(), Key(), Key()), count: 1))
    do throws(CryptoError) { set.pointee.keys.0 = try TicketKeys.makeKey() } catch {
      set.deallocate()
      throw error
    }
    current.store(UInt(bitPattern: set), ordering: .releasing)
  }

  deinit {
    for set in retired { TicketKeys.free(set) }
    if let set = UnsafeMutablePointer<Set>(bitPattern: current.load(ordering: .acquiring)) { TicketKeys.free(set) }
  }

  /// Makes a new key for tickets from now on. One thread calls it, at intervals far longer than a handshake's step.
  public func rotate() throws(CryptoError) {
    let key = try TicketKeys.makeKey()
    guard let old = UnsafeMutablePointer<Set>(bitPattern: current.load(ordering: .acquiring)) else { return }
    let set = UnsafeMutablePointer<Set>.allocate(capacity: 1)
    set.initialize(
      to: Set(keys: (key, old.pointee.keys.0, old.pointee.keys.1), count: min(old.pointee.count + 1, 3)))
    current.store(UInt(bitPattern: set), ordering: .releasing)
    retired.append(old)
    if retired.count > Self.retiredLimit { TicketKeys.free(retired.removeFirst()) }
  }

  private static func makeKey() throws(CryptoError) -> Key {
    var key = Key()
    var failure: CryptoError?
    withUnsafeMutableBytes(of: &key) { buffer in
      do throws(CryptoError) { try RandomBytes.fill(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
    return key
  }

  private static func free(_ set: UnsafeMutablePointer<Set>) {
    OPENSSL_cleanse(set, MemoryLayout<Set>.size)
    set.deallocate()
  }

  // MARK: OpenSSL's callback

  /// - Parameter renews: a client that resumes gets a new ticket in any case.
  /// - Returns: for a new ticket 1; for an old one 0 when no key is its, 1 when its key is the newest, 2 when it should
  ///   be replaced; -1 for an error (SSL_CTX_set_tlsext_ticket_key_cb(3)).
  func prepare(
    _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
    _ mac: OpaquePointer, isNew: Bool, renews: Bool
  ) -> Int32 {
    guard let set = UnsafeMutablePointer<Set>(bitPattern: current.load(ordering: .acquiring)) else { return -1 }
    return withUnsafeBytes(of: &set.pointee.keys) { raw -> Int32 in
      let keys = raw.bindMemory(to: Key.self)
      var index = 0
      if isNew {
        guard RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 else { return -1 }
        withUnsafeBytes(of: keys[0].name) { bytes in
          UnsafeMutableRawBufferPointer(start: name, count: 16).copyMemory(from: bytes)
        }
      } else {
        while index < set.pointee.count,
          !withUnsafeBytes(of: keys[index].name, { $0.elementsEqual(UnsafeRawBufferPointer(start: name, count: 16)) })
        {
          index += 1
        }
        if index == set.pointee.count { return 0 }
      }
      let ready = withUnsafeBytes(of: keys[index].cipher) { secret -> Bool in
        let secret = secret.bindMemory(to: UInt8.self).baseAddress
        return isNew
          ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nil, secret, iv) == 1
          : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, secret, iv) == 1
      }
      let signed = withUnsafeBytes(of: keys[index].mac) { secret -> Bool in
        weft_mac_setup(mac, secret.bindMemory(to: UInt8.self).baseAddress, secret.count) != 0
      }
      if !ready || !signed { return -1 }
      return isNew || index == 0 && !renews ? 1 : 2
    }
  }
}
