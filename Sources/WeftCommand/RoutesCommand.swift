import ArgumentParser
import Logging
import WeftIO
import WeftProxy

struct RoutesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routes",
    abstract: "Explain which route and filter chain a request would take, and why.",
    discussion: """
      Example:
        weft routes config/ GET 'http://shop.example/cart?x=1' -H 'x-canary: yes'
        weft routes config/ GET http://shop.example/admin --principal spiffe://cluster.local/ns/shop/sa/cart
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

  @Option(help: "The SPIFFE ID that the client has proved, for authorization policies.")
  var principal: String?

  @Option(help: "The client's IP address, for authorization policies.")
  var source: String?

  @Argument(
    help: ArgumentHelp(
      "Files or folders as after -f, then the method, such as GET, and the URL, such as http://host:8080/path?query.",
      valueName: "path ... method url"))
  var arguments: [String] = []

  private var paths: [String] { files + arguments.dropLast(2) }

  func validate() throws {
    if arguments.count < 2 { throw ValidationError("say which request: weft routes PATH METHOD URL") }
    if paths.isEmpty { throw ValidationError("say whose routes: weft routes PATH METHOD URL") }
  }

  func run() throws {
    var options = ProxyOptions(source: .paths(paths))
    options.bundleFolders = bundles
    let quiet = Logger(label: "weft") { _ in SwiftLogNoOpLogHandler() }
    var request: RouteQuery
    do {
      request = try RouteQuery(
        method: arguments[arguments.count - 2], url: arguments[arguments.count - 1], headers: headers)
    } catch {
      throw ValidationError("\(error)")
    }
    if let principal {
      guard principal.hasPrefix("spiffe://") else {
        throw ValidationError(
          "\"\(principal)\" is no SPIFFE ID; write one such as spiffe://cluster.local/ns/shop/sa/cart")
      }
      request.principal = principal
    }
    if let source {
      guard let address = IPAddress(source) else { throw ValidationError("\"\(source)\" is no IP address") }
      request.source = address
    }
    let (text, found) = Proxy.explain(options, request, registry: WeftCommandLine.registry, log: quiet)
    print(text)
    if !found { throw ExitCode(1) }
  }
}
