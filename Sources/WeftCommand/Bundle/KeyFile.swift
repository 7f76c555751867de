import Glibc
import WeftBundle
import WeftCrypto

/// Keys in PEM files.
enum KeyFile {
  static func publicKey(_ path: String) throws -> BundleTrust.Key {
    do {
      return BundleTrust.Key(name: path, key: try Ed25519.VerifyingKey(pem: try BundleOutput.read(path)))
    } catch let error as CryptoError {
      throw BundleOutput.Failure(description: "\(path): \(error)")
    }
  }

  static func privateKey(_ path: String) throws -> Ed25519.SigningKey {
    var status = stat()
    if stat(path, &status) == 0 && status.st_mode & 0o077 != 0 {
      Terminal.printError(
        Terminal.styled("warning: others can read \(path); protect it with: chmod 600 \(path)", .yellow, 2))
    }
    do {
      return try Ed25519.SigningKey(pem: try BundleOutput.read(path))
    } catch let error as CryptoError {
      throw BundleOutput.Failure(description: "\(path): \(error)")
    }
  }
}
