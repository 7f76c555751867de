import Crypto
import Foundation

/// Encrypts private keys that lie in the store: AES-256-GCM, under a key that lies elsewhere.
public struct SealingKey: Sendable {
  private let key: SymmetricKey

  /// A new key.
  public init() { key = SymmetricKey(size: .bits256) }

  /// Reads what `text` wrote.
  public init(text: String) throws(IdentityError) {
    let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard let data = Data(base64Encoded: trimmed), data.count == 32 else {
      throw IdentityError("a key file holds the base64 of 32 bytes, and nothing else")
    }
    key = SymmetricKey(data: data)
  }

  /// Base64 of 32 bytes.
  public var text: String { key.withUnsafeBytes { Data($0).base64EncodedString() } }

  /// Encrypts; base64 of nonce, cipher text and tag.
  /// - Parameter purpose: is bound to the result: it opens for the same purpose only.
  public func seal(_ secret: String, for purpose: String) throws(IdentityError) -> String {
    do {
      let box = try AES.GCM.seal(Data(secret.utf8), using: key, authenticating: Data(purpose.utf8))
      guard let combined = box.combined else { throw IdentityError("cannot encrypt a key") }
      return combined.base64EncodedString()
    } catch let error as IdentityError { throw error } catch { throw IdentityError("cannot encrypt a key: \(error)") }
  }

  /// - Throws: `IdentityError` when it was sealed with another key or for another purpose, or was changed since.
  public func open(_ sealed: String, for purpose: String) throws(IdentityError) -> String {
    do {
      guard let data = Data(base64Encoded: sealed) else { throw IdentityError("the encrypted \(purpose) is damaged") }
      let opened = try AES.GCM.open(
        try AES.GCM.SealedBox(combined: data), using: key, authenticating: Data(purpose.utf8))
      return String(decoding: opened, as: UTF8.self)
    } catch let error as IdentityError { throw error } catch {
      throw IdentityError(
        "the \(purpose) in the store was encrypted with another key: give the key file with which it was made")
    }
  }
}
