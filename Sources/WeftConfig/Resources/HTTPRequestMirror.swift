/// Sends a copy of requests to another backend and drops its responses.
public struct HTTPRequestMirror: Sendable, Hashable {
  public let backendRef: BackendReference
  /// The share of requests that are copied: `numerator` of `denominator`.
  public let numerator: Int
  public let denominator: Int

  init(_ reader: ObjectReader, namespace: String) {
    backendRef = BackendReference(reader.object("backendRef"), namespace: namespace)
    reader.atMostOne(of: "percent", "fraction")
    let percent = reader.optionalInt("percent", in: 0...100)
    if let fraction = reader.optionalObject("fraction") {
      numerator = fraction.int("numerator", in: 0...Int(Int32.max))
      denominator = fraction.int("denominator", in: 1...Int(Int32.max), default: 100)
      if numerator > denominator {
        fraction.error("numerator", "\(numerator) is greater than the denominator \(denominator)")
      }
    } else {
      numerator = percent ?? 100
      denominator = 100
    }
  }
}
