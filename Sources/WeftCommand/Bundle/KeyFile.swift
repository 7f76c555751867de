import Glibc
import WeftBundle
import WeftCrypto

/// Keys in PEM files.
enum KeyFile {
  static func publicKey(_ path: String) throws -> BundleTrust.Key {
    try checkExistence(path)
    do {
      return BundleTrust.Key(name: path, key: try Ed25519.VerifyingKey(pem: try BundleOutput.read(path)))
    } catch let error as CryptoError {
      throw BundleOutput.Failure(description: "\(path): \(error)")
    }
  }

  static func privateKey(_ path: String) throws -> Ed25519.SigningKey {
    try checkExistence(path)
    do {
      let key = try Ed25519.SigningKey(pem: try BundleOutput.read(path))
      var status = stat()
      if stat(path, &status) == 0 && status.st_mode & 0o077 != 0 {
        Terminal.printError(
          Terminal.styled("warning: others can read \(path); protect it with: chmod 600 \(path)", .yellow, 2))
      }
      return key
    } catch let error as CryptoError {
      throw BundleOutput.Failure(description: "\(path): \(error)")
    }
  }

  private static func checkExistence(_ path: String) throws {
    if access(path, F_OK) == 0 || errno != ENOENT { return }
    throw BundleOutput.Failure(
      description: "\(path): there is no such file; \"weft bundle keygen NAME\" makes NAME.key.pem and NAME.pub.pem")
  }
}
