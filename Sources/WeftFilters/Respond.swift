import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// `respond`: answers every request itself.
public struct Respond: FilterType {
  public static let name = "respond"

  let status: Int
  let body: OwnedBytes
  let contentType: OwnedBytes
  let headers: HeaderChanges
  /// The file that the body was read from.
  let file: String?

  /// Bytes that a body may have.
  static let bodyLimit = 1024 * 1024
  public static let defaultContentType = "text/plain; charset=utf-8"

  /// - Parameter status: 200 to 599.
  /// - Throws: for another status, a body that is too long or that the status cannot have.
  public init(
    status: Int, body: String = "", contentType: String = Respond.defaultContentType,
    headers: HeaderChanges? = nil
  ) throws(InvalidFilterValue) {
    guard (200...599).contains(status) else { throw InvalidFilterValue("\(status) is no status of a response") }
    if body.utf8.count > Respond.bodyLimit { throw InvalidFilterValue("the body is longer than 1 MiB") }
    if !body.isEmpty && !Respond.mayHaveBody(status) {
      throw InvalidFilterValue("a response with status \(status) has no body")
    }
    self.status = status
    self.body = OwnedBytes(body)
    self.contentType = OwnedBytes(contentType)
    if let headers { self.headers = headers } else { self.headers = try HeaderChanges() }
    file = nil
  }

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    status = reader.int("status", in: 200...599, default: 200)
    reader.atMostOne(of: "body", "bodyFile")
    var content = Array(reader.string("body", default: "").utf8)
    if content.count > Respond.bodyLimit {
      reader.error("body", "is longer than \(Respond.bodyLimit) bytes; serve it from a service")
    }
    var file: String?
    if let path = reader.optionalString("bodyFile", .length(1...4096)) {
      let place = LocalFile.path(path, besides: reader.location(of: "bodyFile").file)
      file = place
      do throws(InvalidFilterValue) {
        content = try LocalFile.read(place, limit: Respond.bodyLimit)
      } catch {
        reader.error("bodyFile", error.description)
      }
    }
    if !content.isEmpty && !Respond.mayHaveBody(status) {
      reader.error("status", "a response with status \(status) has no body; remove it")
    }
    self.file = file
    body = OwnedBytes(content)
    contentType = OwnedBytes(
      reader.string("contentType", .length(1...256), .headerValue, default: Respond.defaultContentType))
    let fields = reader.objects("headers", count: 0...HeaderChanges.limit) { entry in
      let field = try HeaderChanges.Field(entry, inResponse: true)
      if field?.name.known == .contentType { entry.error("name", "is given by the field \"contentType\"") }
      return field
    }
    headers = try HeaderChanges(add: fields.compactMap(\.self))
  }

  private static func mayHaveBody(_ status: Int) -> Bool { ![204, 205, 304].contains(status) }

  public var fingerprint: String { file == nil ? "" : SipHash.digest(body) }
  public var watchedPaths: [String] { file.map { [$0] } ?? [] }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter { RespondFilter(self) }
}

final class RespondFilter: HTTPFilter {
  private let respond: Respond
  private let headers: HeaderPlan?

  init(_ respond: Respond) {
    self.respond = respond
    headers = respond.headers.isEmpty ? nil : HeaderPlan(respond.headers)
  }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    exchange.respond(respond.status, body: respond.body.bytes, contentType: respond.contentType.bytes)
    headers?.applyToResponse(exchange)
    return .respond
  }
}
