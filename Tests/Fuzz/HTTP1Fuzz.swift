// The fuzzer's entry: every input is read as a request, as a response and as a chunked body, and the properties that the
// tests hold the corpus to must hold. What does not is a crash, which is what the fuzzer looks for.

import WeftHTTP

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ p: UnsafePointer<UInt8>?, _ n: Int) -> Int32 {
  let input = Array(UnsafeBufferPointer(start: p, count: n))
  let limits = CodecProperties.seed(input) & 1 == 0 ? HTTPLimits() : CodecProperties.tightLimits
  if let violation = CodecProperties.violation(of: input, limits: limits) { fatalError(violation) }
  return 0
}
