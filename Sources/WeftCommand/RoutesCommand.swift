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

      Exit code 0: a rule takes the request. 1: none does, or the configuration has mistakes.
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

  @Flag(help: "One JSON object.")
  var json = false

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
    let answer = Proxy.explain(options, request, registry: WeftCommandLine.registry, log: quiet)
    print(json ? "\(Self.object(answer))" : "\(answer)")
    if answer.rule == nil { throw ExitCode(1) }
  }

  private static func object(_ answer: RouteAnswer) -> JSONObject {
    var object = JSONObject()
    if let error = answer.error { object.add("error", error) }
    if let listener = answer.listener {
      object.add("listener", listener.name)
      object.add("address", "\(listener.address)")
    }
    if let path = answer.normalPath { object.add("normalPath", path) }
    if let explanation = answer.explanation {
      object.add("host", explanation.host)
      object.add("matches", explanation.candidates.map(Self.object))
    }
    guard let rule = answer.rule else { return object }
    object.add("rule", rule)
    object.add("authorization", answer.authorization)
    object.add("backends", answer.backends.map(Self.object))
    return object
  }

  private static func object(_ match: RouteExplanation.Candidate) -> JSONObject {
    var object = JSONObject()
    object.add("route", match.route)
    object.add("rule", match.rule)
    object.add("match", match.match)
    object.add("hostname", match.hostname)
    object.add("asks", match.summary)
    object.add("isChosen", match.verdict == .chosen)
    object.add("verdict", "\(match.verdict)")
    return object
  }

  private static func object(_ backend: RouteAnswer.Backend) -> JSONObject {
    var object = JSONObject()
    if let service = backend.service { object.add("service", service) }
    object.add("percent", backend.share)
    object.add("authorization", backend.authorization)
    object.add(
      "filters",
      backend.filters.map { filter in
        var object = JSONObject()
        object.add("name", filter.name)
        object.add("type", filter.type)
        return object
      })
    return object
  }
}
