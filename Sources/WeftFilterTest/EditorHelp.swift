import CLuaTest

/// What editors with the Lua language server need to complete and check scripts of bundles.
public enum EditorHelp {
  /// A file to be written beside a bundle.
  public struct File: Sendable {
    /// Relative to the bundle's folder.
    public let path: String
    /// What it is, in a few words.
    public let purpose: String
    public let text: String
  }

  /// Definitions of the API that scripts have.
  public static var definitions: String { text(wl_definitions()) }
  /// Definitions of the API that tests have.
  public static var testDefinitions: String { text(wl_test_definitions()) }

  /// What to write into a bundle's folder, where an editor that has opened the folder finds it. Names that begin with a
  /// dot are no part of a bundle.
  public static var files: [File] {
    [
      File(path: ".luarc.json", purpose: "tells the Lua language server where these are", text: configuration),
      File(path: "\(folder)/weft.lua", purpose: "what scripts find, for editors", text: definitions),
      File(path: "\(folder)/weft-test.lua", purpose: "what tests find, for editors", text: testDefinitions),
    ]
  }

  private static let folder = ".weft"

  private static let configuration = """
    {
      "$schema": "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json",
      "runtime.version": "Lua 5.4",
      "runtime.path": ["?.lua", "?/init.lua"],
      "runtime.builtin": {"io": "disable", "debug": "disable", "package": "disable", "os": "disable"},
      "workspace.library": ["\(folder)"],
      "diagnostics.globals": ["on_request", "on_response", "on_log", "on_load", "check_settings"],
      "diagnostics.disable": ["lowercase-global"]
    }

    """

  private static func text(_ embedded: wl_embedded) -> String {
    String(decoding: UnsafeBufferPointer(start: embedded.base, count: embedded.count), as: UTF8.self)
  }
}
