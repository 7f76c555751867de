import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// Sets a field on every response, and counts in it how many responses this worker has stamped.
struct Stamp: FilterType {
  static let name = "stamp"

  let header: HeaderName
  let value: String

  init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    let name = reader.string("header", default: "x-stamp")
    guard let header = HeaderName(name) else { throw reader.node.error("\"\(name)\" is no field name") }
    self.header = header
    value = reader.string("value")
  }

  func makeFilter(_ worker: WorkerContext) -> HTTPFilter { StampFilter(self) }
}

final class StampFilter: HTTPFilter {
  private let type: Stamp
  private var count = 0

  init(_ type: Stamp) { self.type = type }

  override var phases: FilterPhases { [.response] }

  override func onResponse(_ exchange: Exchange) -> FilterVerdict {
    count += 1
    var text = "\(type.value) #\(count)"
    text.withUTF8 { utf8 in
      if let base = utf8.baseAddress { exchange.response.headers.set(type.header, Bytes(base, utf8.count)) }
    }
    return .next
  }
}
