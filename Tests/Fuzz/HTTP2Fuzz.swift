// The fuzzer's entry: every input is what the peer of an HTTP/2 session sends, and the properties must hold that the tests
// hold it to. What does not is a crash, which is what the fuzzer looks for.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ p: UnsafePointer<UInt8>?, _ n: Int) -> Int32 {
  let input = Array(UnsafeBufferPointer(start: p, count: n))
  if let violation = SessionProperties.violation(of: input) { fatalError(violation) }
  return 0
}
