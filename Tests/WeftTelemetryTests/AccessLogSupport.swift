import Foundation
import Testing
import WeftIO

@testable import WeftTelemetry

/// Headers from dictionaries. The bytes live as long as the object.
final class TestFields: AccessFields {
  private var memory: [String: OwnedBytes] = [:]

  init(request: [String: [UInt8]] = [:], response: [String: [UInt8]] = [:], trailers: [String: [UInt8]] = [:]) {
    for (prefix, fields) in [("q", request), ("s", response), ("t", trailers)] {
      for (name, value) in fields { memory[prefix + name] = OwnedBytes(value) }
    }
  }

  convenience init(_ request: [String: String], response: [String: String] = [:], trailers: [String: String] = [:]) {
    self.init(
      request: request.mapValues { Array($0.utf8) }, response: response.mapValues { Array($0.utf8) },
      trailers: trailers.mapValues { Array($0.utf8) })
  }

  func requestHeader(_ name: Bytes) -> Bytes? { memory["q" + name.string]?.bytes }
  func responseHeader(_ name: Bytes) -> Bytes? { memory["s" + name.string]?.bytes }
  func responseTrailer(_ name: Bytes) -> Bytes? { memory["t" + name.string]?.bytes }
}

enum Sample {
  /// 2026-11-23T06:08:40.765432198Z
  static let start: UInt64 = 1_795_414_120_765_432_198

  /// A finished exchange with every field set.
  static func record() -> AccessRecord {
    var r = AccessRecord(startTime: start, duration: 12_345_678)
    r.method = Bytes("GET")
    r.path = Bytes("/shop/items?id=7&sort=up")
    r.scheme = Bytes("http")
    r.authority = Bytes("shop.example")
    r.httpVersion = .http11
    r.upstreamHTTPVersion = .http11
    r.status = 200
    r.bytesReceived = 10
    r.bytesSent = 2048
    r.requestHeaderBytes = 300
    r.responseHeaderBytes = 150
    r.responseCodeDetails = Bytes("via_upstream")
    r.upstreamService = Bytes("items:80")
    r.upstreamHost = Bytes("10.0.0.5:8080")
    r.upstreamLocalAddress = Bytes("10.0.0.1:40000")
    r.attempts = 1
    r.listener = Bytes("edge/http")
    r.route = Bytes("shop/0")
    r.filters = Bytes("cors,tenant-tag")
    r.downstreamRemoteAddress = Bytes("192.0.2.7:51000")
    r.downstreamLocalAddress = Bytes("[2001:db8::1]:8080")
    r.connectionID = 42
    r.timing.requestEnd = 1_000_000
    r.timing.connectBegin = 1_500_000
    r.timing.connectEnd = 2_000_000
    r.timing.upstreamRequestBegin = 2_100_000
    r.timing.upstreamRequestEnd = 2_500_000
    r.timing.upstreamResponseBegin = 9_900_000
    r.timing.upstreamResponseEnd = 11_000_000
    r.timing.responseBegin = 10_000_000
    r.timing.responseEnd = 12_000_000
    return r
  }
}

/// The line that `format` gives, as bytes.
func lineBytes(_ format: AccessLogFormat, _ record: borrowing AccessRecord, _ fields: some AccessFields) -> [UInt8] {
  let memory = MutableBytePointer.allocate(capacity: 1 << 16)
  defer { memory.deallocate() }
  let caches = UnsafeMutablePointer<TimeCache>.allocate(capacity: max(format.times.count, 1))
  for i in 0..<format.times.count { (caches + i).initialize(to: TimeCache()) }
  defer {
    for i in 0..<format.times.count { caches[i].free() }
    caches.deallocate()
  }
  var out = ByteWriter(memory, 1 << 16)
  format.write(record, fields, caches: caches, to: &out)
  #expect(!out.overflow)
  return out.bytes.array
}

func line(_ format: AccessLogFormat, _ record: borrowing AccessRecord, _ fields: some AccessFields) -> String {
  String(decoding: lineBytes(format, record, fields), as: UTF8.self)
}

/// What one format string gives for the sample, without the newline.
func text(_ format: String, _ record: borrowing AccessRecord, _ fields: some AccessFields = NoAccessFields()) throws
  -> String
{
  String(line(try AccessLogFormat(text: format), record, fields).dropLast())
}

/// A folder that is removed with its owner.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array((NSTemporaryDirectory() + "/weft-telemetry-XXXXXX").utf8CString)
    path = try template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = mkdtemp(base) else {
        throw SystemError(operation: "mkdtemp", errno: errno)
      }
      return String(cString: made)
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func read(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }
}
