import WeftHTTP
import WeftIO

/// What a client says of content codings (RFC 9110 12.5.3).
enum AcceptEncoding {
  private static let name = HeaderName("accept-encoding")

  /// Whether the client accepts gzip, and does not like the plain form better. A client that says nothing gets that.
  static func prefersGzip(_ request: borrowing HeaderTable) -> Bool {
    // Weights in thousandths; below 0: not mentioned.
    var gzip = -1
    var identity = -1
    var any = -1
    var line = request.find(name)
    while let i = line {
      var elements = FieldList.Elements(request.value(at: i))
      while let element = elements.next() {
        let semicolon = element.firstIndex(of: 0x3b) ?? element.count
        let coding = element.slice(0, semicolon).trimmed
        let weight = weight(element.slice(semicolon, element.count))
        if coding.equalsIgnoringCase(Bytes("gzip")) || coding.equalsIgnoringCase(Bytes("x-gzip")) {
          gzip = max(gzip, weight)
        } else if coding.equalsIgnoringCase(Bytes("identity")) {
          identity = max(identity, weight)
        } else if coding == Bytes("*") {
          any = max(any, weight)
        }
      }
      line = request.find(name, from: i &+ 1)
    }
    let accepted = gzip >= 0 ? gzip : any
    return accepted > 0 && accepted >= identity
  }

  /// The weight in `;q=0.5`, in thousandths: 1000 without one, 0 for one that is malformed (RFC 9110 12.4.2).
  private static func weight(_ parameters: Bytes) -> Int {
    var rest = parameters
    while let semicolon = rest.firstIndex(of: 0x3b) {
      let end = rest.firstIndex(of: 0x3b, from: semicolon &+ 1) ?? rest.count
      let parameter = rest.slice(semicolon &+ 1, end).trimmed
      if parameter.count >= 2, asciiLower(parameter[0]) == 0x71, parameter[1] == 0x3d {
        return thousandths(parameter.slice(2, parameter.count))
      }
      rest = rest.slice(end, rest.count)
    }
    return 1000
  }

  /// `0`, `1`, or either with a period and up to three digits.
  private static func thousandths(_ text: Bytes) -> Int {
    if text.isEmpty || text.count > 5 || (text[0] != 0x30 && text[0] != 0x31) { return 0 }
    var value = Int(text[0] &- 0x30) &* 1000
    if text.count == 1 { return value }
    if text[1] != 0x2e { return 0 }
    var scale = 100
    for i in 2..<max(text.count, 2) {
      let digit = text[i] &- 0x30
      if digit > 9 { return 0 }
      value &+= Int(digit) &* scale
      scale /= 10
    }
    return value > 1000 ? 0 : value
  }
}
