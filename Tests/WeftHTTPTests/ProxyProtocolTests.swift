import Testing
import WeftHTTP
import WeftIO

@Suite("PROXY protocol headers")
struct ProxyProtocolTests {
  private typealias Header = ProxyProtocolHeader
  private static let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

  private static func parse(_ bytes: [UInt8]) -> Header.Outcome {
    // A copy of exactly that size, so that a sanitizer sees any look beyond it.
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    defer { copy.deallocate() }
    for (i, byte) in bytes.enumerated() { copy[i] = byte }
    return Header.parse(Bytes(BytePointer(copy), bytes.count))
  }

  private static func parse(_ text: String) -> Header.Outcome { parse(Array(text.utf8)) }

  private static func addresses(_ source: String, _ destination: String) throws -> Header.Addresses {
    Header.Addresses(
      source: try #require(SocketAddress(source)), destination: try #require(SocketAddress(destination)))
  }

  private static func binary(_ command: UInt8, _ family: UInt8, _ block: [UInt8], length: Int? = nil) -> [UInt8] {
    let length = length ?? block.count
    return signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + block
  }

  private static let v4Block: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]

  private static func written(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Header.maximumWrittenLength) { memory in
      guard let base = memory.baseAddress else { return [] }
      var w = ByteWriter(base, memory.count)
      body(&w)
      #expect(!w.overflow)
      return w.bytes.array
    }
  }

  @Test("Version 1: what is well formed, with bytes behind it")
  func line() throws {
    for (text, expected) in [
      ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", try Self.addresses("192.0.2.1:56324", "198.51.100.2:443")),
      ("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", try Self.addresses("0.0.0.0:0", "255.255.255.255:65535")),
      ("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", try Self.addresses("[2001:db8::1]:1", "[::1]:2")),
      (
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n",
        try Self.addresses(
          "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535")
      ),
      ("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n", try Self.addresses("192.0.2.1:1", "198.51.100.2:2")),
    ] {
      let header = Header(addresses: expected, version: .v1)
      #expect(Self.parse(text) == .complete(header, length: text.utf8.count), "\(text)")
      #expect(Self.parse(text + "GET / HTTP/1.1\r\n") == .complete(header, length: text.utf8.count))
    }
    for text in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 what ever  it is\r\n"] {
      let header = Header(addresses: nil, version: .v1)
      #expect(Self.parse(text) == .complete(header, length: text.utf8.count), "\(text)")
    }
  }

  @Test("Version 1: every truncation waits for more")
  func truncatedLine() {
    for text in ["PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "PROXY UNKNOWN\r\n"] {
      for n in 0..<text.utf8.count { #expect(Self.parse(Array(text.utf8.prefix(n))) == .incomplete, "\(n)") }
    }
  }

  @Test(
    "Version 1: what is malformed",
    arguments: [
      ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n", Header.Fault.line),
      ("PROXY \r\n", .line), ("PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n", .line),
      ("PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n", .line), ("PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n", .line),
      ("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n", .line), ("PROXY UNKNOWNS\r\n", .line),
      ("PROXY TCP4\r\n", .line), ("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", .line),
      ("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n", .line), ("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n", .line),
      ("PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n", .line), ("PROXY TCP4\t192.0.2.1 198.51.100.2 1 2\r\n", .line),
      ("PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n", .address), ("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n", .address),
      ("PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n", .address), ("PROXY TCP4 ::1 ::1 1 2\r\n", .address),
      ("PROXY TCP4 0x7f.1 198.51.100.2 1 2\r\n", .address), ("PROXY TCP4 localhost 198.51.100.2 1 2\r\n", .address),
      ("PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n", .address), ("PROXY TCP6 ::1 fe80::1%1 1 2\r\n", .address),
      ("PROXY TCP6 1::2::3 ::1 1 2\r\n", .address), ("PROXY TCP6 [::1] ::1 1 2\r\n", .address),
      ("PROXY TCP6 12345::1 ::1 1 2\r\n", .address), ("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 2\r\n", .address),
      ("PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", .port), ("PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n", .port),
      ("PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n", .port), ("PROXY TCP4 192.0.2.1 198.51.100.2 1 +2\r\n", .port),
      ("PROXY TCP4 192.0.2.1 198.51.100.2 00 2\r\n", .port), ("PROXY TCP4 192.0.2.1 198.51.100.2 1 0x2\r\n", .port),
      ("PROXY TCP4 192.0.2.1 198.51.100.2 99999999999999999999 2\r\n", .port),
      ("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\r\n", .port),
      ("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n", .tooLong),
      ("PROXY " + String(repeating: " ", count: 300), .tooLong),
    ])
  func malformedLine(_ text: String, _ fault: ProxyProtocolHeader.Fault) {
    #expect(Self.parse(text) == .malformed(fault))
  }

  @Test("Version 1: a line of 107 bytes is the longest")
  func longestLine() {
    let text = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
    #expect(text.utf8.count == Header.lineLimit)
    #expect(Self.parse(text) == .complete(Header(addresses: nil, version: .v1), length: 107))
  }

  @Test("What is no header")
  func absent() {
    for text in [
      "GET / HTTP/1.1\r\n", "POST", "PUT ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PROXI", "PROXYTCP4", "proxy ",
      "\r\nGET", "\r\n\r\nGET",
      "\u{16}\u{3}\u{1}", "PROXY\tTCP4",
    ] { #expect(Self.parse(text) == .absent, "\(text)") }
    #expect(Self.parse(Array(Self.signature.dropLast()) + [0x0d]) == .absent)
    for text in ["", "P", "PR", "PROXY", "\r", "\r\n", "\r\n\r\n"] {
      #expect(Self.parse(text) == .incomplete, "\(text)")
    }
  }

  @Test("Version 2: addresses, with extensions, and every truncation")
  func binary() throws {
    let v6: [UInt8] =
      [0x20, 0x01, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1] + Array(repeating: 0, count: 15) + [1]
      + [0, 1, 0xff, 0xff]
    let extensions: [UInt8] = [0x04, 0, 0, 0x02, 0, 3, 0x61, 0x62, 0x63, 0xe0, 1, 0] + Array(repeating: 7, count: 256)
    for block in [[], extensions] {
      for (bytes, expected) in [
        (Self.binary(0x21, 0x11, Self.v4Block + block), try Self.addresses("192.0.2.1:56324", "198.51.100.2:443")),
        (Self.binary(0x21, 0x21, v6 + block), try Self.addresses("[2001:db8::1]:1", "[::1]:65535")),
      ] {
        let header = Header(addresses: expected, version: .v2)
        #expect(Self.parse(bytes) == .complete(header, length: bytes.count))
        #expect(Self.parse(bytes + [1, 2, 3]) == .complete(header, length: bytes.count))
        for n in 0..<bytes.count { #expect(Self.parse(Array(bytes.prefix(n))) == .incomplete, "\(n)") }
      }
    }
  }

  @Test("Version 2: headers without addresses that count")
  func unaddressed() {
    let header = Header(addresses: nil, version: .v2)
    for bytes in [
      Self.binary(0x20, 0x00, []), Self.binary(0x20, 0x11, Self.v4Block), Self.binary(0x20, 0x11, []),
      Self.binary(0x20, 0xff, [1, 2, 3]), Self.binary(0x21, 0x00, []), Self.binary(0x21, 0x00, [9, 9]),
      Self.binary(0x21, 0x12, Self.v4Block), Self.binary(0x21, 0x31, Array(repeating: 0x41, count: 216)),
      Self.binary(0x21, 0x22, Array(repeating: 1, count: 36)),
      Self.binary(0x20, 0x00, Array(repeating: 0, count: Header.sizeLimit - 16)),
    ] {
      #expect(Self.parse(bytes) == .complete(header, length: bytes.count))
      for n in 0..<bytes.count { #expect(Self.parse(Array(bytes.prefix(n))) == .incomplete, "\(n)") }
    }
  }

  @Test("Version 2: what is malformed, as soon as it can be known")
  func malformedBinary() {
    for (bytes, fault) in [
      (Self.signature + [0x11], Header.Fault.version), (Self.signature + [0x31], .version),
      (Self.signature + [0x01], .version), (Self.signature + [0x22], .command), (Self.signature + [0x2f], .command),
      (Self.binary(0x21, 0x01, Self.v4Block), .family), (Self.binary(0x21, 0x10, Self.v4Block), .family),
      (Self.binary(0x21, 0x13, Self.v4Block), .family), (Self.binary(0x21, 0x41, Self.v4Block), .family),
      (Self.binary(0x21, 0xff, Self.v4Block), .family), (Self.binary(0x21, 0x11, []), .length),
      (Self.binary(0x21, 0x11, Array(Self.v4Block.dropLast())), .length),
      (Self.binary(0x21, 0x21, Self.v4Block), .length), (Self.binary(0x21, 0x31, Self.v4Block), .length),
      (Self.binary(0x21, 0x11, [], length: Header.sizeLimit - 15), .tooLong),
      (Self.binary(0x20, 0x00, [], length: 65_535), .tooLong),
      (Self.binary(0x21, 0x11, Self.v4Block + [4]), .extensions),
      (Self.binary(0x21, 0x11, Self.v4Block + [4, 0]), .extensions),
      (Self.binary(0x21, 0x11, Self.v4Block + [4, 0, 1]), .extensions),
      (Self.binary(0x21, 0x11, Self.v4Block + [4, 0xff, 0xff, 1]), .extensions),
      (Self.binary(0x21, 0x11, Self.v4Block + [4, 0, 1, 1, 5]), .extensions),
    ] { #expect(Self.parse(bytes) == .malformed(fault), "\(bytes)") }
  }

  @Test("Whatever single byte is changed or added, a header is read or refused, and never beyond its end")
  func mutations() {
    let headers = [
      Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n".utf8),
      Self.binary(0x21, 0x11, Self.v4Block + [4, 0, 1, 1]),
    ]
    for header in headers {
      for at in 0..<header.count {
        for byte in UInt8.min...UInt8.max {
          var changed = header
          changed[at] = byte
          if case .complete(_, let length) = Self.parse(changed) { #expect(length <= changed.count) }
        }
      }
    }
  }

  @Test("What is written is read as the same", arguments: ProxyProtocolHeader.Version.allCases)
  func roundTrip(_ version: ProxyProtocolHeader.Version) throws {
    for (source, destination) in [
      ("192.0.2.1:56324", "198.51.100.2:443"), ("[2001:db8::1]:1", "[::1]:65535"), ("192.0.2.1:0", "[2001:db8::2]:80"),
      ("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
    ] {
      let expected = try Self.addresses(source, destination)
      let bytes = Self.written {
        Header.write(version, source: expected.source, destination: expected.destination, into: &$0)
      }
      #expect(
        Self.parse(bytes) == .complete(Header(addresses: expected, version: version), length: bytes.count), "\(source)")
    }
    let none = Header(addresses: nil, version: version)
    let unknown = Self.written {
      Header.write(version, source: SocketAddress(), destination: SocketAddress(), into: &$0)
    }
    #expect(Self.parse(unknown) == .complete(none, length: unknown.count))
    let local = Self.written { Header.writeLocal(version, into: &$0) }
    #expect(Self.parse(local) == .complete(none, length: local.count))
    if version == .v2 {
      #expect(unknown == Self.binary(0x21, 0, []))
      #expect(local == Self.binary(0x20, 0, []))
      let a = try Self.addresses("192.0.2.1:56324", "198.51.100.2:443")
      let bytes = Self.written { Header.write(.v2, source: a.source, destination: a.destination, into: &$0) }
      #expect(bytes == Self.binary(0x21, 0x11, Self.v4Block))
    }
  }
}
