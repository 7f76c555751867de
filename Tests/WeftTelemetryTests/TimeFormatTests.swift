import Foundation
import Testing
import WeftIO

@testable import WeftTelemetry

@Suite struct TimeFormatTests {
  func rendered(_ format: String, _ nanoseconds: UInt64) throws -> String {
    let format = try TimeFormat(format)
    var cache = TimeCache()
    defer { cache.free() }
    let memory = MutableBytePointer.allocate(capacity: 256)
    defer { memory.deallocate() }
    var out = ByteWriter(memory, 256)
    cache.append(nanoseconds, format, to: &out)
    return out.bytes.string
  }

  /// The C library is the reference for every conversion that it has.
  @Test func agreesWithTheCLibrary() throws {
    // Ends of years and of Februaries, common and leap, of centuries, and of what nanoseconds in 64 bits can say.
    var seconds: [UInt64] = [
      0, 68_255_999, 94_694_399, 951_782_399, 951_782_400, 951_868_800, 1_709_164_800, 4_107_542_399, 4_107_542_400,
      13_574_563_199, 18_446_744_073,
    ]
    var random = SystemRandomNumberGenerator()
    for _ in 0..<300 { seconds.append(UInt64.random(in: 0...18_446_744_073, using: &random)) }
    for second in seconds {
      var time = time_t(second)
      var parts = tm()
      gmtime_r(&time, &parts)
      // The C library reads %s and %Z in its local zone.
      for conversion in TimeFormat.conversions where !"sZ".utf8.contains(conversion) {
        let format = "%\(Character(UnicodeScalar(conversion)))"
        var buffer = [CChar](repeating: 0, count: 64)
        let n = strftime(&buffer, 64, format, &parts)
        let expected = String(decoding: buffer[..<n].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #expect(try rendered(format, second * 1_000_000_000) == expected, "\(format) of \(second)")
      }
      #expect(try rendered("%s %Z", second * 1_000_000_000) == "\(second) UTC")
    }
  }

  @Test func fractions() throws {
    #expect(try rendered("%1f %3f %6f %9f", 5_000_000_001) == "0 000 000000 000000001")
    #expect(try rendered("%f", 999_999_999) == "999999999")
    #expect(try rendered("%E3S|%E3f|%%", 1_234_567_890) == "01.234|234|%")
    #expect(try rendered("%Y-%m-%dT%H:%M:%E6SZ", Sample.start) == "2026-11-23T06:08:40.765432Z")
  }

  /// A cache that saw another second, or none, makes no difference.
  @Test func theCacheForgets() throws {
    let format = try TimeFormat("%S.%3f")
    var cache = TimeCache()
    defer { cache.free() }
    let memory = MutableBytePointer.allocate(capacity: 256)
    defer { memory.deallocate() }
    var out = ByteWriter(memory, 256)
    for nanoseconds: UInt64 in [0, 1_000_000, 999_999_999, 1_000_000_000, 59_500_000_000, 0] {
      cache.append(nanoseconds, format, to: &out)
      out.append(" ")
    }
    #expect(out.bytes.string == "00.000 00.001 00.999 01.000 59.500 00.000 ")
  }

  @Test func aFullWriterOverflows() throws {
    var cache = TimeCache()
    defer { cache.free() }
    let memory = MutableBytePointer.allocate(capacity: 10)
    defer { memory.deallocate() }
    var out = ByteWriter(memory, 10)
    cache.append(Sample.start, .iso8601, to: &out)
    #expect(out.overflow)
    #expect(out.count == 0)
  }
}
