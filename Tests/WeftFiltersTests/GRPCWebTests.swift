import Testing
import WeftFilter
import WeftHTTP
import WeftIO

@testable import WeftFilters

@Suite struct GRPCWebTests {
  private let frame = "\u{0}\u{0}\u{0}\u{0}\u{5}hello"

  @Test func typesAreTranslatedBothWays() throws {
    let bench = try bench(GRPCWeb.self, "{}")
    let exchange = try bench.request(
      "POST", "/a.B/C", ["content-type: application/grpc-web+proto"], body: [frame], chunked: true)
    #expect(exchange.upstreamRequest?["content-type"] == "application/grpc+proto")
    #expect(exchange.upstreamRequest?["te"] == "trailers")
    try exchange.respond(
      200, ["content-type: application/grpc+proto"], body: [frame], trailers: ["grpc-status: 0", "Grpc-Message: fine"])
    let response = try #require(exchange.response)
    #expect(response["content-type"] == "application/grpc-web+proto")
    let lines = "grpc-status: 0\r\ngrpc-message: fine\r\n"
    #expect(response.body == Array(frame.utf8) + [0x80, 0, 0, 0, UInt8(lines.utf8.count)] + Array(lines.utf8))
    #expect(response.trailers.isEmpty)
  }

  @Test(arguments: [1, 2, 3, 4, 5, 7, 100]) func textIsBase64(split: Int) throws {
    let bench = try bench(GRPCWeb.self, "{}")
    let text = String(decoding: Base64Groups.encode(Array(frame.utf8)), as: UTF8.self)
    var pieces: [String] = []
    var rest = Substring(text)
    while !rest.isEmpty {
      pieces.append(String(rest.prefix(split)))
      rest = rest.dropFirst(split)
    }
    let exchange = try bench.request(
      "POST", "/a.B/C", ["content-type: application/grpc-web-text"], body: pieces, chunked: true)
    #expect(exchange.upstreamRequest?["content-type"] == "application/grpc")
    #expect(exchange.upstreamRequest?.body == Array(frame.utf8))
    try exchange.respond(200, ["content-type: application/grpc"], body: [frame], trailers: ["grpc-status: 0"])
    let response = try #require(exchange.response)
    #expect(response["content-type"] == "application/grpc-web-text")
    var pending: [UInt8] = []
    let decoded = response.body.withUnsafeBufferPointer { b in
      b.baseAddress.flatMap { Base64Groups.decode(&pending, Bytes($0, b.count)) }
    }
    let lines = "grpc-status: 0\r\n"
    #expect(decoded == Array(frame.utf8) + [0x80, 0, 0, 0, UInt8(lines.utf8.count)] + Array(lines.utf8))
    #expect(pending.isEmpty)
  }

  @Test(arguments: ["AA*A", "A", "AAAAA"]) func whatIsNoBase64IsRefused(body: String) throws {
    let bench = try bench(GRPCWeb.self, "{}")
    let exchange = try bench.request(
      "POST", "/a.B/C", ["content-type: application/grpc-web-text"], body: [body], chunked: true)
    #expect(exchange.response?.status == 400)
    // The answer is for a client that speaks no gRPC.
    #expect(exchange.response?["content-type"]?.hasPrefix("application/grpc") != true)
  }

  @Test(arguments: [
    ("application/grpc-web", "application/grpc-web-text", "application/grpc-web-text"),
    ("application/grpc-web-text", "application/grpc-web+proto", "application/grpc-web"),
    ("application/grpc-web-text", "*/*", "application/grpc-web-text"),
  ])
  func theRequestMayAskForTheOtherForm(sent: String, accepted: String, answered: String) throws {
    let bench = try bench(GRPCWeb.self, "{}")
    let exchange = try bench.request("POST", "/a.B/C", ["content-type: \(sent)", "accept: \(accepted)"], body: [""])
    try exchange.respond(200, ["content-type: application/grpc"], body: [frame], trailers: ["grpc-status: 0"])
    let response = try #require(exchange.response)
    #expect(response["content-type"] == answered)
    #expect((response.body.first == 0) == (answered == "application/grpc-web"))
  }

  @Test(arguments: ["application/json", "application/grpc", "application/grpc-webber"]) func othersPass(type: String)
    throws
  {
    let bench = try bench(GRPCWeb.self, "{}")
    let exchange = try bench.request("POST", "/", ["content-type: \(type)"], body: ["x"])
    #expect(exchange.upstreamRequest?["content-type"] == type)
    try exchange.respond(200, ["content-type: \(type)"], body: ["y"])
    #expect(exchange.response?["content-type"] == type)
    #expect(exchange.response?.text == "y")
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func base64OfTheRFC(plain: String, encoded: String) {
    #expect(String(decoding: Base64Groups.encode(Array(plain.utf8)), as: UTF8.self) == encoded)
    var pending: [UInt8] = []
    let owned = OwnedBytes(encoded)
    #expect(Base64Groups.decode(&pending, owned.bytes) == Array(plain.utf8))
  }
}
