import Glibc

/// Something did not happen in time.
struct Timeout: Error, CustomStringConvertible {
  let what: String
  let seconds: Double
  var description: String { "waited \(seconds) s for \(what)" }
}

/// Seconds on a clock that never jumps.
func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// How long a test waits for what should happen at once: long enough for a slow, busy machine.
let defaultPatience = Sanitizer.isOn ? 120.0 : 30.0

/// Waits until `condition` gives a value.
/// - Throws: `Timeout`, or what the condition throws.
func eventually<Value>(
  _ what: String, within seconds: Double = defaultPatience, _ condition: () throws -> Value?
) throws -> Value {
  let end = monotonicSeconds() + seconds
  while true {
    if let value = try condition() { return value }
    if monotonicSeconds() > end { throw Timeout(what: what, seconds: seconds) }
    usleep(5_000)
  }
}

/// Waits until `condition` holds.
func eventually(_ what: String, within seconds: Double = defaultPatience, _ condition: () throws -> Bool) throws {
  let _: Void = try eventually(what, within: seconds) { try condition() ? () : nil }
}

/// Lets time pass; not to wait for anything, only where the passing of time is what is tested.
func pause(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }
