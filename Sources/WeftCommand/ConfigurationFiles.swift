import ArgumentParser

/// Where a command finds its configuration: files and folders, with or without `-f`.
struct ConfigurationFiles: ParsableArguments {
  @Option(
    name: [.customShort("f"), .customLong("file")],
    help: ArgumentHelp("A file or folder of YAML or JSON. May be repeated.", valueName: "path"), completion: .file())
  var files: [String] = []

  @Argument(help: ArgumentHelp("The same, without -f.", valueName: "path"), completion: .file())
  var more: [String] = []

  /// All of them, those after `-f` first.
  var all: [String] { files + more }
}
