import ArgumentParser
import WeftConfig
import WeftFilterTest

/// The request that a bundle is run with.
struct TrialOptions: ParsableArguments {
  @Argument(help: "Path and query, or a URL.")
  var url: String?

  @Option(
    help: "A file with the request: HTTP/1.1 as it stands, or YAML or JSON with the fields of request{...} in tests.")
  var request: String?

  @Option(name: [.customShort("X"), .customLong("method")], help: "The method.")
  var method: String?

  @Option(name: [.customShort("H"), .customLong("header")], help: "A header, 'name: value'. May be repeated.")
  var headers: [String] = []

  @Option(name: [.customShort("d"), .customLong("data")], help: "The body; with @ before it the file that holds it.")
  var data: String?

  @Option(help: "A file with what the upstream answers; without it 200, with the request's body.")
  var response: String?

  @Option(help: "What a service answers, NAME=FILE. May be repeated; other services cannot be reached.")
  var service: [String] = []

  @Option(help: "The filter's settings, as YAML or JSON; with @ before it the file that holds them.")
  var settings: String?

  /// - Throws: `ConfigError` for a file that is not right.
  func input() throws -> FilterTrial.Input {
    var input = FilterTrial.Input()
    if let request { input.request = try MessageFile(request, .request) }
    if let method { input.request.set(method: method) }
    if let url { input.request.set(url: url) }
    for header in headers where !input.request.add(header: header) {
      throw ValidationError("-H takes 'name: value', not '\(header)'")
    }
    if let data {
      input.request.set(body: data.hasPrefix("@") ? try FileText.read(String(data.dropFirst())) : Array(data.utf8))
    }
    if let response { input.response = try MessageFile(response, .response) }
    for entry in service {
      let parts = entry.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { throw ValidationError("--service takes NAME=FILE, not '\(entry)'") }
      input.services[String(parts[0])] = try MessageFile(String(parts[1]), .response)
    }
    if let settings {
      let isFile = settings.hasPrefix("@")
      let file = isFile ? String(settings.dropFirst()) : "settings"
      let text = isFile ? try FileText.read(file) : Array(settings.utf8)
      let documents = ConfigDocuments(parsing: text, file: file)
      if !documents.diagnostics.isEmpty { throw ConfigError(documents.diagnostics) }
      input.settings = documents.roots.first
    }
    return input
  }
}
