import Testing

@testable import WeftProxy

@Suite struct KeySetFetchTests {
  @Test(arguments: [
    ("max-age=600", 600), ("public, max-age=3600, must-revalidate", 3_600), ("Max-Age=\"60\"", 60), ("no-store", 0),
    ("private, no-cache", 0), ("no-cache, max-age=60", 0), ("max-age=60, no-store", 0), ("max-age = 5", 5),
    ("public", nil), ("", nil),
    ("max-age=", nil), ("max-age=-1", nil), ("max-age=1.5", nil), ("s-maxage=9", nil), ("xmax-age=9", nil),
    // As long as can be, and not an overflow.
    ("max-age=99999999999999999999", UInt64(UInt32.max)),
  ])
  func readsHowLongAnAnswerHolds(_ field: String, _ seconds: UInt64?) {
    #expect(KeySetFetch.maxAge(field) == seconds)
  }
}
