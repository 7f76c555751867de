import Foundation
import Testing
import WeftHTTP

/// Messages in files, one for each corner of the grammar and one for each way to be refused. A file in a folder
/// `refused` is named after the fault that it must be refused for: `CODE.what-is-special`.
struct CorpusFile: CustomTestStringConvertible, Sendable {
  var name: String
  var bytes: [UInt8]

  var testDescription: String { name }

  /// The code that a refused file names.
  var code: String { "http1." + (name.split(separator: ".").first ?? "") }

  static let requests = load("requests/accepted")
  static let proxyProtocol = load("proxy-protocol")
  static let refusedRequests = load("requests/refused")
  static let responses = load("responses/accepted")
  static let refusedResponses = load("responses/refused")
  static let bodies = load("chunked/accepted")
  static let refusedBodies = load("chunked/refused")
  static let all = requests + refusedRequests + responses + refusedResponses + bodies + refusedBodies

  static func named(_ name: String, in files: [CorpusFile]) throws -> CorpusFile {
    try #require(files.first { $0.name == name })
  }

  private static func load(_ folder: String) -> [CorpusFile] {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Corpus/" + folder)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.sorted().compactMap { name in
      guard let data = try? Data(contentsOf: url.appending(path: name)) else { return nil }
      return CorpusFile(name: name, bytes: Array(data))
    }
  }
}
