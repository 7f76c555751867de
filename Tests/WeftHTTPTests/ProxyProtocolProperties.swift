import WeftHTTP
import WeftIO

/// What holds for any bytes that are read as a PROXY protocol header.
enum ProxyProtocolProperties {
  /// The first property that `input` breaks, in words; nil when all hold.
  static func violation(of input: [UInt8]) -> String? {
    let whole = outcome(input)
    switch whole {
    case .complete(let header, let length):
      if length < 1 || length > input.count { return "a length of \(length) of \(input.count) bytes" }
      if length > ProxyProtocolHeader.sizeLimit { return "longer than the limit" }
      for count in 0..<length where outcome(Array(input[..<count])) != .incomplete {
        return "not incomplete at \(count) of \(length) bytes"
      }
      if outcome(Array(input[..<length])) != whole { return "what follows the header changes it" }
      return violation(of: header)
    case .incomplete:
      if input.count >= ProxyProtocolHeader.sizeLimit { return "incomplete without end" }
      for count in 0..<input.count where outcome(Array(input[..<count])) != .incomplete {
        return "something else at \(count) bytes"
      }
    case .absent, .malformed:
      // Once it is wrong, no byte more makes it right.
      if outcome(input + [0x0d, 0x0a]) != whole, case .complete = outcome(input + [0x0d, 0x0a]) {
        return "more bytes mend it"
      }
    }
    return nil
  }

  /// What was read is written so that it reads the same.
  private static func violation(of header: ProxyProtocolHeader) -> String? {
    guard let addresses = header.addresses else { return nil }
    for version in ProxyProtocolHeader.Version.allCases {
      let written = withUnsafeTemporaryAllocation(
        of: UInt8.self, capacity: ProxyProtocolHeader.maximumWrittenLength
      ) { memory -> [UInt8]? in
        guard let base = memory.baseAddress else { return nil }
        var w = ByteWriter(base, memory.count)
        ProxyProtocolHeader.write(
          version, source: addresses.source, destination: addresses.destination, into: &w)
        return w.overflow ? nil : Array(UnsafeBufferPointer(start: w.bytes.base, count: w.count))
      }
      guard let written else { return "\(version) does not fit" }
      guard case .complete(let again, written.count) = outcome(written) else { return "\(version) does not read back" }
      if again.addresses != addresses { return "\(version) reads back as \(String(describing: again.addresses))" }
    }
    return nil
  }

  private static func outcome(_ input: [UInt8]) -> ProxyProtocolHeader.Outcome {
    input.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return .incomplete }
      return ProxyProtocolHeader.parse(Bytes(base, buffer.count))
    }
  }
}
