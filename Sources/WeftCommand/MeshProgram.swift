import Glibc

/// The program beside `weft` that holds the commands of the mesh: `weft-mesh`.
///
/// A control plane's libraries are many times larger than a proxy. Apart from them, a proxy that runs from files starts
/// in less time and holds less memory; whoever types `weft control` notices nothing of it.
enum MeshProgram {
  static let name = "weft-mesh"

  /// Commands that it serves and this program does not.
  static let commands = [
    "control", "gateway", "sidecar", "join", "redirect", "ca", "apply", "diff", "get", "describe", "delete", "history",
    "rollback",
    "watch",
    "status", "events", "token", "context",
  ]

  /// Whether `arguments`, without the program's name, are all for this program. The mesh's program knows every command,
  /// so help, completion scripts and what is unknown here are its part.
  static func isNeeded(for arguments: [String]) -> Bool {
    guard let first = arguments.first else { return true }
    if first == "--version" { return false }
    if first == BundleCommand.configuration.commandName {
      let subcommand = arguments.dropFirst().first ?? ""
      if subcommand == BundleInspectCommand.configuration.commandName, isOfControlPlane(arguments.dropFirst(2)) {
        return true
      }
      return !BundleCommand.names.contains(subcommand)
    }
    return !WeftCommandLine.names.contains(first)
  }

  /// Whether `weft bundle inspect` is about a bundle of the control plane: what it names is no file, and no path.
  private static func isOfControlPlane(_ arguments: ArraySlice<String>) -> Bool {
    guard let name = arguments.first(where: { !$0.hasPrefix("-") }) else { return false }
    return BundleInspectCommand.isReference(name)
  }

  /// Becomes that program. Returns when there is none.
  static func replaceThisProcess(_ arguments: [String]) {
    guard let path = path(), access(path, X_OK) == 0 else { return }
    var pointers = ([CommandLine.arguments.first ?? "weft"] + arguments).map { strdup($0) }
    pointers.append(nil)
    execv(path, pointers)
    for pointer in pointers { free(pointer) }
  }

  /// What to say when a command of the mesh is asked for and the program is not there; nil for other arguments.
  static func complaint(_ arguments: [String]) -> String? {
    guard let first = arguments.first, commands.contains(first) else { return nil }
    return "weft \(first) is a command of \(name), which is not there: install it beside weft"
      + (path().map { " (as \($0))" } ?? "") + ". A program with filters of its own takes the mesh's commands in with "
      + "WeftMeshCommand: docs/swift-filters.md"
  }

  /// Beside the running program; a link to it is followed first.
  private static func path() -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
    guard count > 0 else { return nil }
    let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = own.lastIndex(of: "/") else { return nil }
    return own[...slash] + name
  }
}
