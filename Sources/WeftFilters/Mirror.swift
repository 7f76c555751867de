import WeftConfig
import WeftFilter
import WeftTelemetry

/// `mirror`: sends a copy of some requests to another service as well, and ignores its responses.
///
/// Also the Gateway API's RequestMirror.
public struct Mirror: FilterType {
  public static let name = "mirror"

  let service: ServiceReference
  let numerator: UInt32
  let denominator: UInt32
  let metrics: FilterSeries

  /// Copies `numerator` of `denominator` requests.
  public init(
    to service: ServiceReference, numerator: Int = 100, denominator: Int = 100, _ context: FilterTypeContext
  ) throws {
    self.service = service
    self.numerator = UInt32(clamping: numerator)
    self.denominator = UInt32(clamping: denominator)
    metrics = try Mirror.series(context)
  }

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    service = Mirror.service(reader.object("backendRef"), context)
    reader.atMostOne(of: "percent", "fraction")
    let percent = reader.optionalDouble("percent", in: 0...100)
    if let fraction = reader.optionalObject("fraction") {
      numerator = UInt32(clamping: fraction.int("numerator", in: 0...Int(Int32.max)))
      denominator = UInt32(clamping: fraction.int("denominator", in: 1...Int(Int32.max), default: 100))
      if numerator > denominator {
        fraction.error("numerator", "\(numerator) is greater than the denominator \(denominator)")
      }
    } else {
      numerator = UInt32((percent ?? 100) * 10_000)
      denominator = 1_000_000
    }
    metrics = try Mirror.series(context)
  }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter {
    MirrorFilter(self, worker, copies: metrics.counter(worker))
  }

  private static func service(_ reader: ObjectReader, _ context: FilterTypeContext) -> ServiceReference {
    let name = reader.string("name", .dnsSubdomain)
    let namespace = reader.optionalString("namespace", .dnsLabel)
    let port = reader.optionalInt("port", in: 1...65_535)
    let group = reader.string("group", default: "")
    let kind = reader.string("kind", default: "Service")
    if kind != "Service" || !["", "weft.dev"].contains(group) {
      reader.error("kind", "refers to \(group.isEmpty ? "" : group + " ")\(kind); only a Service can be mirrored to")
    }
    if let found = context.service(name, namespace: namespace, port: port) { return found }
    if !name.isEmpty {
      reader.error("name", "no Service named \"\(name)\"" + (port.map { " with port \($0)" } ?? ""))
    }
    return ServiceReference(name)
  }

  private static func series(_ context: FilterTypeContext) throws -> FilterSeries {
    try FilterSeries(
      context, "weft_filter_mirrored_requests_total", help: "Requests of which a copy was sent to another service.")
  }
}

final class MirrorFilter: HTTPFilter {
  private let mirror: Mirror
  private let worker: WorkerContext
  private let copies: Counter

  init(_ mirror: Mirror, _ worker: WorkerContext, copies: Counter) {
    self.mirror = mirror
    self.worker = worker
    self.copies = copies
  }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    if mirror.numerator >= mirror.denominator || worker.random.chance(mirror.numerator, of: mirror.denominator) {
      exchange.mirror(to: mirror.service)
      copies.add()
    }
    return .next
  }
}
