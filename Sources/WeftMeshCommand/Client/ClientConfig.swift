import Glibc
import WeftCommand
import WeftConfig
import WeftIO

/// The file in which a user keeps the control planes that they talk to.
struct ClientConfig {
  struct Context {
    var name: String
    /// `http://127.0.0.1:15080`
    var control: String
    var namespace: String?
    var token: String?
    /// Files: roots of the control plane's certificate; the user's own certificate and its key.
    var ca: String?
    var certificate: String?
    var key: String?
  }

  var contexts: [Context] = []
  var current: String?

  /// WEFT_CONFIG, or `~/.weft/config`.
  static var path: String {
    if let path = environment("WEFT_CONFIG") { return path }
    return (environment("HOME") ?? "/root") + "/.weft/config"
  }

  static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  init() {}

  /// Reads the file; empty when there is none.
  init(path: String) throws {
    guard access(path, F_OK) == 0 else { return }
    let text = try BundleOutput.read(path)
    let documents = ConfigDocuments(parsing: text, file: path)
    if !documents.diagnostics.isEmpty { throw ConfigError(documents.diagnostics) }
    guard let root = documents.roots.first else { return }
    let config = try ObjectReader.decode(root) { reader in
      var config = ClientConfig()
      config.current = reader.optionalString("current")
      config.contexts = reader.objects("contexts") { context in
        Context(
          name: context.string("name", .length(1...100)), control: context.string("control", .length(1...2_000)),
          namespace: context.optionalString("namespace"), token: context.optionalString("token"),
          ca: context.optionalString("ca"), certificate: context.optionalString("certificate"),
          key: context.optionalString("key"))
      }
      return config
    }
    self = config
  }

  subscript(name: String) -> Context? { contexts.first { $0.name == name } }

  /// Writes the file so that only its owner reads it: it may hold tokens.
  func write(to path: String) throws {
    var value: JSONValue = [
      "contexts": .array(
        contexts.map { context in
          var value: JSONValue = ["name": .string(context.name), "control": .string(context.control)]
          value["namespace"] = context.namespace.map { .string($0) }
          value["token"] = context.token.map { .string($0) }
          value["ca"] = context.ca.map { .string($0) }
          value["certificate"] = context.certificate.map { .string($0) }
          value["key"] = context.key.map { .string($0) }
          return value
        })
    ]
    value["current"] = current.map { .string($0) }
    let temporary = "\(path).\(getpid()).tmp"
    try Array(value.yaml.utf8).withUnsafeBytes { try BundleOutput.writeSecret(to: temporary, $0) }
    if rename(temporary, path) != 0 {
      let code = errno
      unlink(temporary)
      throw SystemError(operation: "write \(path)", errno: code)
    }
  }
}

extension ClientConfig {
  /// What is said of a context that is not in the file.
  /// - Parameter place: of the file, where the message is to name it.
  func unknown(_ name: String, in place: String? = nil) -> ClientError {
    let known = contexts.map(\.name).joined(separator: ", ")
    return ClientError(
      "no context \"\(name)\"" + (place.map { " in \($0)" } ?? "")
        + (known.isEmpty ? "; make one with weft context add" : "; there are \(known)"))
  }
}
