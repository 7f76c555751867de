import ArgumentParser
import Logging
import WeftProxy

struct RoutesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routes",
    abstract: "Explain which route and filter chain a request would take, and why.",
    discussion: """
      Example:
        weft routes -f config/ GET 'http://shop.example/cart?x=1' -H 'x-canary: yes'
      """)

  @Option(
    name: [.customShort("f"), .customLong("file")],
    help: ArgumentHelp("A file or folder of YAML or JSON. May be repeated.", valueName: "path"), completion: .file())
  var files: [String] = []

  @Option(
    help: ArgumentHelp("Folder in which bundles are looked up by name. May be repeated.", valueName: "folder"),
    completion: .directory)
  var bundles: [String] = []

  @Option(name: [.customShort("H"), .customLong("header")], help: "A header, 'name: value'. May be repeated.")
  var headers: [String] = []

  @Argument(help: "The method, such as GET.")
  var method: String

  @Argument(help: "The URL, such as http://host:8080/path?query.")
  var url: String

  func validate() throws {
    if files.isEmpty { throw ValidationError("say whose routes: -f PATH") }
  }

  func run() throws {
    var options = ProxyOptions(source: .paths(files))
    options.bundleFolders = bundles
    let quiet = Logger(label: "weft") { _ in SwiftLogNoOpLogHandler() }
    let request: RouteQuery
    do {
      request = try RouteQuery(method: method, url: url, headers: headers)
    } catch {
      throw ValidationError("\(error)")
    }
    let (text, found) = Proxy.explain(options, request, registry: WeftCommandLine.registry, log: quiet)
    print(text)
    if !found { throw ExitCode(1) }
  }
}
