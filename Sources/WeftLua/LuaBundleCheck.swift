import CLuaHost
import WeftBundle
import WeftConfig

/// Holds a bundle's scripts against what a proxy would do with them: loads the bundle as a worker does, and compiles
/// every other Lua file, those of its tests among them.
public enum LuaBundleCheck {
  /// Errors for which a proxy would refuse the bundle or a test could not run, and warnings, at their places.
  public static func findings(_ bundle: Bundle) -> [Diagnostic] {
    var found: [Diagnostic] = []
    let manifest = bundle.manifest
    if let minimum = manifest.minimumWeft, minimum > WeftVersion.current {
      found.append(
        diagnostic(
          bundle, BundleManifest.fileName, 0, "minimumWeft is \(minimum), and this is Weft \(WeftVersion.current)"))
    }
    let program = LuaProgram(
      name: manifest.name, entry: manifest.entry, sources: bundle.sources, digest: bundle.digest.description,
      limits: manifest.limits)
    let state: LuaState
    do {
      state = try LuaState(program)
    } catch {
      found.append(diagnostic(bundle, manifest.entry, error))
      return found
    }
    if !state.hasOnRequest && !state.hasOnResponse && !state.hasOnLog {
      found.append(
        diagnostic(
          bundle, manifest.entry, 0,
          "defines none of on_request, on_response and on_log, so that the bundle does nothing", severity: .warning))
    }
    if state.checksSettings { found += examples(bundle, state) }
    let others = bundle.files.filter { $0.path.hasSuffix(".lua") && $0.path != manifest.entry }
    let compiled = LuaProgram(name: "", entry: "", sources: others, digest: "", limits: manifest.limits)
    for i in 0..<compiled.sourceCount {
      let outcome = wl_check(state.host, compiled.sources + i)
      if outcome != WL_DONE { found.append(diagnostic(bundle, others[i].path, state.failure(outcome))) }
    }
    return found
  }

  /// What `check_settings` says of the settings' examples, and whether it comes to an end for the defaults alone; those may
  /// lack something, which is no mistake of the bundle's.
  private static func examples(_ bundle: Bundle, _ state: LuaState) -> [Diagnostic] {
    guard let schema = bundle.manifest.settings,
      let manifest = bundle.files.first(where: { $0.path == BundleManifest.fileName })
    else { return [] }
    let documents = ConfigDocuments(parsing: manifest.text, file: "\(bundle.place)/\(manifest.path)")
    guard let node = documents.roots.first?["settings"] else { return [] }
    var found: [Diagnostic] = []
    func check(_ given: ConfigNode, reports: Bool) {
      // What breaks the schema has been said already.
      guard let values = try? schema.validate(given) else { return }
      var tape = ValueTape()
      tape.append(values)
      do {
        if let problem = try state.check(tape), reports { found.append(problem.diagnostic(given)) }
      } catch {
        found.append(SettingsProblem(error).diagnostic(given))
      }
    }
    check(.empty(at: node.location, path: node.path), reports: false)
    for example in node["examples"]?.items ?? [] { check(example, reports: true) }
    return found
  }

  private static func diagnostic(_ bundle: Bundle, _ file: String, _ failure: LuaFailure) -> Diagnostic {
    guard let (place, line, message) = failure.place else { return diagnostic(bundle, file, 0, failure.description) }
    return diagnostic(bundle, place, line, message)
  }

  private static func diagnostic(
    _ bundle: Bundle, _ file: String, _ line: Int, _ message: String, severity: Diagnostic.Severity = .error
  ) -> Diagnostic {
    Diagnostic(severity, at: SourceLocation(file: "\(bundle.place)/\(file)", line: line), message)
  }
}
