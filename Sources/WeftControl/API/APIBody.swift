import HTTPTypes
import Hummingbird
import NIOCore
import WeftConfig

/// Reads the bodies of requests.
enum APIBody {
  /// Bytes of a body that holds one resource.
  static let limit = 1 << 20
  /// Bytes of a body that holds many.
  static let manyLimit = 8 << 20

  enum Format { case json, yaml, mergePatch, apply }

  /// What the body is, by its content type. A web page can send none of these without asking first.
  static func format(_ request: Request) throws -> Format {
    let type = request.headers[.contentType] ?? ""
    let essence = type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
    switch essence {
    case "application/json": return .json
    case "application/yaml", "application/x-yaml": return .yaml
    case "application/merge-patch+json": return .mergePatch
    case "application/apply-patch+yaml": return .apply
    default:
      throw APIProblem(
        .unsupportedMediaType,
        "content type \"\(essence.prefix(100))\"; use application/json or application/yaml, and to patch application/merge-patch+json or application/apply-patch+yaml"
      )
    }
  }

  static func bytes(_ request: Request, limit: Int = limit) async throws -> [UInt8] {
    do {
      let buffer = try await request.body.collect(upTo: limit)
      return Array(buffer.readableBytesView)
    } catch is NIOTooManyBytesError {
      throw APIProblem(.contentTooLarge, "the body has more than \(limit) bytes")
    }
  }

  /// The one value of the body.
  static func value(_ request: Request, limit: Int = limit) async throws -> JSONValue {
    let format = try format(request)
    let bytes = try await bytes(request, limit: limit)
    switch format {
    case .json, .mergePatch: return try JSONValue(parsing: bytes)
    case .yaml, .apply:
      let documents = ConfigDocuments(parsing: bytes, file: "body.yaml")
      if !documents.diagnostics.isEmpty { throw ConfigError(documents.diagnostics) }
      guard documents.roots.count == 1, let root = documents.roots.first else {
        throw APIProblem(.badRequest, "the body holds \(documents.roots.count) documents, not one")
      }
      return JSONValue(root)
    }
  }
}

/// Reads the parameters behind the question mark.
struct APIQuery {
  private let request: Request

  init(_ request: Request) { self.request = request }

  func text(_ name: String) -> String? { request.uri.queryParameters[Substring(name)].map(String.init) }

  func flag(_ name: String) throws -> Bool {
    switch text(name) {
    case nil, "0", "false": return false
    case "1", "true", "": return true
    case let other?: throw APIProblem(.badRequest, "\(name)=\(other.prefix(40)): use 1 or 0")
    }
  }

  func number(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = text(name), !text.isEmpty else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw APIProblem(.badRequest, "\(name)=\(text.prefix(40)): use \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func revision(_ name: String) throws -> UInt64? {
    guard let text = text(name), !text.isEmpty else { return nil }
    guard let revision = UInt64(text) else {
      throw APIProblem(.badRequest, "\(name)=\(text.prefix(40)): use the resourceVersion of a list or a resource")
    }
    return revision
  }

  var writeOptions: WriteOptions {
    get throws {
      var options = WriteOptions()
      switch text("dryRun") {
      case nil, "": break
      case "All": options.isDryRun = true
      case let other?: throw APIProblem(.badRequest, "dryRun=\(other.prefix(40)): use dryRun=All")
      }
      options.isForced = try flag("force")
      options.fieldManager = text("fieldManager").map { String($0.prefix(128)) }
      return options
    }
  }
}
