import ArgumentParser

/// Which files a command takes resources from.
struct ManifestOptions: ParsableArguments {
  @Option(
    name: [.customShort("f"), .customLong("file")],
    help: ArgumentHelp(
      "A file or folder of YAML or JSON, or - for standard input. May be repeated.", valueName: "path"),
    completion: .file())
  var files: [String] = []
}
