import Testing
import WeftHTTP
import WeftIO

@Suite struct KnownHeaderTests {
  private static let names: [(String, KnownHeader)] = [
    ("host", .host), ("connection", .connection), ("content-length", .contentLength),
    ("transfer-encoding", .transferEncoding), ("keep-alive", .keepAlive), ("proxy-connection", .proxyConnection),
    ("te", .te), ("trailer", .trailer), ("upgrade", .upgrade), ("expect", .expect),
    ("x-forwarded-for", .xForwardedFor), ("x-forwarded-proto", .xForwardedProto),
    ("x-forwarded-host", .xForwardedHost), ("forwarded", .forwarded), ("x-request-id", .xRequestID), ("via", .via),
    ("user-agent", .userAgent), ("referer", .referer), ("content-type", .contentType),
    ("content-encoding", .contentEncoding), ("accept-encoding", .acceptEncoding), ("origin", .origin),
    ("location", .location), ("server", .server), ("date", .date), ("vary", .vary), ("etag", .etag),
    ("cookie", .cookie), ("authorization", .authorization),
  ]

  private func classify(_ name: some Collection<UInt8>) -> KnownHeader {
    withExactCopy(name) { p, n in KnownHeader.classify(p, n) }
  }

  @Test func everyKnownNameIsRecognised() {
    #expect(Set(Self.names.map { $0.1.rawValue }).count == Int(KnownHeader.authorization.rawValue))
    for (name, known) in Self.names {
      #expect(classify(name.utf8) == known)
      #expect(classify(name.uppercased().utf8) == known)
      #expect(classify((name + "x").utf8) == .other)
      #expect(classify(("x" + name).utf8) == .other)
      #expect(classify(name.utf8.dropLast()) == .other)
    }
  }

  /// A name that differs in any one byte is another name.
  @Test func oneByteMakesAnotherName() {
    for (name, known) in Self.names {
      let original = Array(name.utf8)
      for place in original.indices {
        for byte in UInt8.min...UInt8.max where HeaderTable.isFieldName(Bytes("a")) {
          var changed = original
          changed[place] = byte
          let isToken = withExactCopy([byte]) { HeaderTable.isFieldName(Bytes($0, $1)) }
          if !isToken { continue }
          let isSame = asciiLower(byte) == original[place]
          #expect((classify(changed) == known) == isSame, "\(name), place \(place), byte \(byte)")
        }
      }
    }
  }
}
