import WeftBundle

/// What a bundle's signatures are worth, seen with some public keys.
struct SignatureReport {
  enum Validity: String {
    case valid
    /// Made by one of the keys, for something else.
    case wrong
    /// Of a key that is not at hand.
    case unknown
  }

  struct Row {
    let key: String
    /// The key's file, where it is known.
    let name: String
    let validity: Validity
  }

  let rows: [Row]
  let signers: [BundleTrust.Signer]
  /// Why there is nothing to look at; nil when there is.
  let problem: String?

  /// - Parameter origin: how the bundle is called where it comes from, when it lies here as a copy.
  /// - Throws: `ConfigError` when the file of signatures cannot be read.
  init(_ bundle: Bundle, keys: [BundleTrust.Key], origin: String? = nil) throws {
    let path = bundle.signaturePath
    guard let signatures = try BundleSignatures(path: path) else {
      (rows, signers) = ([], [])
      problem =
        origin.map {
          "\($0) was pushed without signatures; sign its archive, and push that with the .sig file beside it"
        }
        ?? "it is not signed: there is no \(path); sign it with: weft bundle sign \(bundle.place) --key FILE"
      return
    }
    guard signatures.digest == bundle.digest else {
      (rows, signers) = ([], [])
      problem = """
        it is not what was signed: the signatures in \(path) are of \(signatures.digest); restore the bundle, or look at \
        what has changed and sign it again
        """
      return
    }
    let signers = BundleTrust(keys: keys, isRequired: false).signers(signatures)
    rows = signatures.signatures.map { signature in
      let known = keys.first { $0.key.id == signature.key }
      let isValid = signers.contains { $0.key == signature.key }
      return Row(
        key: signature.key.description, name: known?.name ?? "",
        validity: known == nil ? .unknown : isValid ? .valid : .wrong)
    }
    self.signers = signers
    problem = nil
  }

  var json: [JSONObject] {
    rows.map { row in
      var object = JSONObject()
      object.add("key", row.key)
      if !row.name.isEmpty { object.add("name", row.name) }
      object.add("validity", row.validity.rawValue)
      return object
    }
  }

  func table(isTerminal: Bool) -> String {
    var table = Table(columns: ["signed by", "", "key"])
    for row in rows {
      let validity = row.validity == .unknown ? "key not given" : row.validity.rawValue
      table.add([row.name.isEmpty ? "?" : row.name, validity, row.key])
    }
    return table.text(isTerminal: isTerminal)
  }
}
